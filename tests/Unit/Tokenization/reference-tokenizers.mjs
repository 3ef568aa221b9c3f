// Small tokenizers with every kind of component, and texts that tell them apart.

// The byte-level alphabet: every byte has a printable character of its own.
const bs = [];
for (let i = 33; i <= 126; i++) bs.push(i);
for (let i = 161; i <= 172; i++) bs.push(i);
for (let i = 174; i <= 255; i++) bs.push(i);
const cs = bs.slice();
let n = 0;
for (let b = 0; b < 256; b++)
  if (!bs.includes(b)) {
    bs.push(b);
    cs.push(256 + n++);
  }
const B = Object.fromEntries(bs.map((b, i) => [b, String.fromCharCode(cs[i])]));
const map = (s) => [...Buffer.from(s, "utf8")].map((b) => B[b]).join("");
function byteModel(extra = {}) {
  const vocab = {};
  for (let b = 0; b < 256; b++) vocab[B[b]] = b;
  const merges = [];
  const add = (l, r) => {
    l = map(l);
    r = map(r);
    if (!(l + r in vocab)) vocab[l + r] = Object.keys(vocab).length;
    merges.push([l, r]);
  };
  for (const pair of "h|e l|l ll|o he|llo ·|hello ·|w o|r r|l w|or wor|l worl|d ·|world 1|2 12|3 ·|· ··|·· ⏎|⏎ '|s a|a aa|aa A|B !|! ·|!".split(
    " ",
  )) {
    const [l, r] = pair.replaceAll("·", " ").replaceAll("⏎", "\n").split("|");
    add(l, r);
  }
  for (const x of ["日", "é", "😀"]) {
    const m = [...Buffer.from(x)].map((b) => B[b]);
    let acc = m[0];
    for (let i = 1; i < m.length; i++) {
      if (!(acc + m[i] in vocab)) vocab[acc + m[i]] = Object.keys(vocab).length;
      merges.push([acc, m[i]]);
      acc += m[i];
    }
  }
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab,
    merges: extra.stringMerges ? merges.map((m) => m.join(" ")) : merges,
    ...(extra.model || {}),
  };
}
function charModel(opt = {}) {
  const vocab = {};
  const addT = (t) => {
    if (!(t in vocab)) vocab[t] = Object.keys(vocab).length;
  };
  addT("<unk>");
  addT("<s>");
  addT("</s>");
  if (opt.bytes !== false) for (let b = 0; b < 256; b++) addT("<0x" + b.toString(16).toUpperCase().padStart(2, "0") + ">");
  const pre = opt.pre || "",
    suf = opt.suf || "";
  for (const c of "▁abcdefghijklmnopqrstuvwxyzHWAB,.!?'0123456789é日") {
    addT(c);
    if (pre) addT(pre + c);
    if (suf) {
      addT(c + suf);
      if (pre) addT(pre + c + suf);
    }
  }
  const merges = [];
  const M = (l, r) => {
    const m = l + (pre && r.startsWith(pre) ? r.slice(pre.length) : r);
    addT(m);
    merges.push(opt.pairs ? [l, r] : l + " " + r);
  };
  if (pre) {
    M("h", pre + "e");
    M("he", pre + "l");
    M(pre + "l", pre + "o");
    M("w", pre + "o");
  } else if (suf) {
    M("h", "e");
    M("l", "l");
    M("ll", "o" + suf);
    M("he", "llo" + suf);
    M("l", "d" + suf);
  } else
    for (const pair of [
      "▁|h",
      "e|l",
      "l|o",
      "▁h|el",
      "▁hel|lo",
      "▁|w",
      "▁w|o",
      "▁wo|r",
      "l|d",
      "▁|▁",
      "▁▁|▁▁",
      "a|a",
      "1|2",
      ...(opt.merges || []),
    ])
      M(...pair.split("|"));
  return {
    type: "BPE",
    dropout: null,
    unk_token: opt.unk === undefined ? "<unk>" : opt.unk,
    continuing_subword_prefix: pre || null,
    end_of_word_suffix: suf || null,
    fuse_unk: !!opt.fuse,
    byte_fallback: opt.bytes !== false && opt.fallback !== false,
    ignore_merges: !!opt.ignore,
    vocab,
    merges,
  };
}
const BL = (o = {}) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true, ...o });
const at = (id, content, o = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...o,
});
const size = (m) => Object.keys(m.vocab).length;
const tk = (model, o = {}) => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: o.added ? o.added(size(model)) : [],
  normalizer: o.norm ?? null,
  pre_tokenizer: o.pre ?? null,
  post_processor: o.post ?? null,
  decoder: o.dec ?? null,
  model,
});
const SP = [
  { type: "Prepend", prepend: "▁" },
  { type: "Replace", pattern: { String: " " }, content: "▁" },
];
const SPD = {
  type: "Sequence",
  decoders: [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    { type: "Strip", content: " ", start: 1, stop: 0 },
  ],
};
const tmpl = (id) => ({
  type: "TemplateProcessing",
  single: [
    { SpecialToken: { id: "<s>", type_id: 0 } },
    { Sequence: { id: "A", type_id: 0 } },
    { SpecialToken: { id: "</s>", type_id: 0 } },
  ],
  pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] }, "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] } },
});
export const texts = [
  "hello world",
  "Hello  world!!  hello\n\n x",
  "  hello",
  "",
  "   ",
  " \n \t x",
  "日本é😀日é hello",
  "a1234 56٣Ⅷ½",
  "it's I'S 'ſt don'T",
  "<s>hello</s> <tok>  hello<tok>world x<tok>y <TOK> hello",
  "foo,bar.baz!? (qux) $5 — «é»",
  "aaaaaaaaaaaaaaaaaaaaaaa",
  "𐐀𝐀𠀀 x 𝟙𝟚12",
  "e\u0301 \uFB01 \u1100\u1161 Å\u212B İI ǅ",
  "tab\tnbsp\u00a0ideo\u3000nel\u0085bom\ufeffzw\u200b end ",
  "<0x41> ▁hello ▁▁x Ġ",
  "hello\r\nworld\r\r\n\n  done\n",
  "A B AB hello_world __x__ a-b-c",
];
export const tokenizers = [];
const add = (name, json) => tokenizers.push([name, json]);
const seq = (...p) => ({ type: "Sequence", pretokenizers: p });
const split = (re, behavior, invert = false) => ({ type: "Split", pattern: { Regex: re }, behavior, invert });
const L3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
add("byte level, GPT-2 pattern", tk(byteModel(), { pre: BL(), dec: BL() }));
add("byte level, prefix space", tk(byteModel({ stringMerges: true }), { pre: BL({ add_prefix_space: true }), dec: BL() }));
add("byte level, no pattern", tk(byteModel(), { pre: BL({ use_regex: false }), dec: BL() }));
add("llama 3 pattern", tk(byteModel(), { pre: seq(split(L3, "Isolated"), BL({ use_regex: false })), dec: BL() }));
add(
  "qwen pattern, NFC",
  tk(byteModel(), {
    norm: { type: "NFC" },
    pre: seq(split(L3.replace("{1,3}", ""), "Isolated"), BL({ use_regex: false })),
    dec: BL(),
  }),
);
for (const b of ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
  for (const inv of [false, true])
    add(
      `split ${b}${inv ? " inverted" : ""}`,
      tk(byteModel(), { pre: seq(split("[\\s,']", "" + b, inv), BL({ use_regex: false })), dec: BL() }),
    );
add(
  "split by string",
  tk(byteModel(), {
    pre: seq(
      { type: "Split", pattern: { String: "l" }, behavior: "MergedWithPrevious", invert: false },
      BL({ use_regex: false }),
    ),
    dec: BL(),
  }),
);
for (const re of [
  "\\p{N}{1,3}",
  "[一-龥぀-ゟ゠-ヿ]+",
  "[!-/:-@\\[-`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "\\w+|\\W",
  "[[:alpha:]]+|[[:punct:]]",
  "[\\p{L}&&[^a-m]]+",
  "(?<=o)l*|(?=w)",
  "\\bh\\w*\\b",
  "a{2}?|a{3,}+",
  "(?:ab|cd)*+x?",
  "(?i)HELLO|é|K",
  "[^\\p{L}]++",
  "^h|d$",
  "\\p{Han}|\\p{^L}",
  "\\h+",
  "[\\d\\-_]+|.",
  "\\x{1D400}|[\\u65E5-\\u672C]",
  "(h)(e)(l)\\3o",
])
  add("pattern " + re, tk(byteModel(), { pre: seq(split(re, "Isolated"), BL({ use_regex: false })), dec: BL() }));
add(
  "digits individual",
  tk(byteModel(), { pre: seq({ type: "Digits", individual_digits: true }, BL({ use_regex: false })), dec: BL() }),
);
add(
  "digits together",
  tk(byteModel(), { pre: seq({ type: "Digits", individual_digits: false }, BL({ use_regex: false })), dec: BL() }),
);
add(
  "punctuation",
  tk(byteModel(), { pre: seq({ type: "Punctuation", behavior: "Isolated" }, BL({ use_regex: false })), dec: BL() }),
);
add(
  "punctuation contiguous",
  tk(byteModel(), { pre: seq({ type: "Punctuation", behavior: "Contiguous" }, BL({ use_regex: false })), dec: BL() }),
);
add("whitespace", tk(byteModel(), { pre: seq({ type: "Whitespace" }, BL({ use_regex: false })), dec: BL() }));
add("whitespace split", tk(byteModel(), { pre: seq({ type: "WhitespaceSplit" }, BL({ use_regex: false })), dec: BL() }));
add("bert", tk(byteModel(), { pre: seq({ type: "BertPreTokenizer" }, BL({ use_regex: false })), dec: BL() }));
add(
  "delimiter",
  tk(byteModel(), { pre: seq({ type: "CharDelimiterSplit", delimiter: "l" }, BL({ use_regex: false })), dec: BL() }),
);
add(
  "byte level then digits",
  tk(byteModel(), { pre: seq(BL({ use_regex: false }), { type: "Digits", individual_digits: true }), dec: BL() }),
);
add("byte level normalizer", tk(byteModel(), { norm: { type: "ByteLevel" }, dec: BL() }));
for (const f of ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"])
  add("normalizer " + f, tk(byteModel(), { norm: { type: f }, pre: BL(), dec: BL() }));
add(
  "normalizer NFD, StripAccents, Lowercase, Strip",
  tk(byteModel(), {
    norm: {
      type: "Sequence",
      normalizers: [
        { type: "NFD" },
        { type: "StripAccents" },
        { type: "Lowercase" },
        { type: "Strip", strip_left: true, strip_right: true },
      ],
    },
    pre: BL(),
    dec: BL(),
  }),
);
add(
  "normalizer Replace regex",
  tk(byteModel(), { norm: { type: "Replace", pattern: { Regex: "\\s+|l{2}" }, content: "_" }, pre: BL(), dec: BL() }),
);
add(
  "normalizer strip left",
  tk(byteModel(), { norm: { type: "Strip", strip_left: true, strip_right: false }, pre: BL(), dec: BL() }),
);
add("ignore merges", tk(byteModel({ model: { ignore_merges: true } }), { pre: BL(), dec: BL() }));
add(
  "added tokens",
  tk(byteModel(), {
    pre: BL(),
    dec: BL(),
    added: (n) => [at(n, "<s>"), at(n + 1, "</s>"), at(n + 2, "<tok>", { special: false })],
  }),
);
for (const k of ["single_word", "lstrip", "rstrip"])
  add(
    "added token " + k,
    tk(byteModel(), {
      pre: BL(),
      dec: BL(),
      added: (n) => [
        at(n, "<s>"),
        at(n + 1, "<tok>", { [k]: true, special: false }),
        at(n + 2, "hello", { [k]: true, special: false }),
      ],
    }),
  );
add(
  "added token both strips",
  tk(byteModel(), {
    pre: BL(),
    dec: BL(),
    added: (n) => [at(n, "<tok>", { lstrip: true, rstrip: true }), at(n + 1, "x", { lstrip: true })],
  }),
);
add(
  "added tokens normalized",
  tk(byteModel(), {
    norm: { type: "Lowercase" },
    pre: BL(),
    dec: BL(),
    added: (n) => [
      at(n, "<TOK>", { normalized: true, special: false }),
      at(n + 1, "Hello", { normalized: false, special: false }),
      at(n + 2, "WORLD", { normalized: true, special: false, single_word: true }),
    ],
  }),
);
add(
  "added tokens overlapping",
  tk(byteModel(), {
    pre: BL(),
    dec: BL(),
    added: (n) => [
      at(n, "he", { special: false }),
      at(n + 1, "hello", { special: false }),
      at(n + 2, "llo w", { special: false }),
      at(n + 3, "é", { special: false }),
      at(n + 4, "日 x", { special: false }),
    ],
  }),
);
add(
  "sentencepiece, byte fallback",
  tk(charModel(), {
    norm: { type: "Sequence", normalizers: SP },
    post: tmpl(),
    dec: SPD,
    added: () => [at(0, "<unk>"), at(1, "<s>"), at(2, "</s>")],
  }),
);
add(
  "sentencepiece, pairs, tokens normalized",
  tk(charModel({ pairs: true }), {
    norm: { type: "Sequence", normalizers: SP },
    post: tmpl(),
    dec: SPD,
    added: (n) => [
      at(0, "<unk>", { normalized: true }),
      at(1, "<s>", { normalized: true }),
      at(2, "</s>", { normalized: true }),
      at(n, "<tok>", { normalized: true, special: false }),
    ],
  }),
);
add(
  "sentencepiece, marks inside tokens",
  tk(charModel({ merges: ["o|▁w", "o▁w|o"] }), { norm: { type: "Sequence", normalizers: SP }, dec: SPD }),
);
add("unknown fused", tk(charModel({ bytes: false, fuse: true }), { norm: { type: "Sequence", normalizers: SP }, dec: SPD }));
add(
  "unknown one by one",
  tk(charModel({ bytes: false, fuse: false }), { norm: { type: "Sequence", normalizers: SP }, dec: SPD }),
);
add("unknown dropped", tk(charModel({ bytes: false, unk: null }), { norm: { type: "Sequence", normalizers: SP }, dec: SPD }));
add(
  "byte tokens without fallback",
  tk(charModel({ fallback: false, fuse: true }), { norm: { type: "Sequence", normalizers: SP }, dec: SPD }),
);
add("characters, ignore merges", tk(charModel({ ignore: true }), { norm: { type: "Sequence", normalizers: SP }, dec: SPD }));
for (const scheme of ["always", "first", "never"])
  for (const sp of [true, false])
    add(
      `metaspace ${scheme}${sp ? "" : " unsplit"}`,
      tk(charModel(), {
        pre: { type: "Metaspace", replacement: "▁", prepend_scheme: scheme, split: sp },
        dec: { type: "Metaspace", replacement: "▁", prepend_scheme: scheme, split: sp },
        added: () => [at(1, "<s>"), at(2, "</s>")],
      }),
    );
add("subword prefix", tk(charModel({ pre: "##" }), { pre: { type: "Whitespace" } }));
add("word suffix", tk(charModel({ suf: "</w>" }), { pre: { type: "Whitespace" } }));
add("decoder none", tk(charModel(), {}));
add(
  "decoder fuse then replace",
  tk(charModel(), {
    norm: { type: "Sequence", normalizers: SP },
    dec: {
      type: "Sequence",
      decoders: [
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Replace", pattern: { String: "▁w" }, content: " W" },
        { type: "Replace", pattern: { Regex: "l+" }, content: "L" },
        { type: "Replace", pattern: { String: "▁" }, content: " " },
      ],
    },
  }),
);
add(
  "decoder strip two",
  tk(charModel(), {
    norm: { type: "Sequence", normalizers: SP },
    dec: {
      type: "Sequence",
      decoders: [
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: "▁", start: 2, stop: 0 },
        { type: "Replace", pattern: { String: "▁" }, content: " " },
      ],
    },
  }),
);
add(
  "decoder metaspace after fuse",
  tk(charModel(), {
    norm: { type: "Sequence", normalizers: SP },
    dec: {
      type: "Sequence",
      decoders: [
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true },
      ],
    },
  }),
);
add("processors in sequence", tk(byteModel(), { pre: BL(), dec: BL(), post: { type: "Sequence", processors: [BL(), tmpl()] } }));
add(
  "roberta",
  tk(byteModel(), {
    pre: BL(),
    dec: BL(),
    post: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 1], trim_offsets: true, add_prefix_space: false },
  }),
);
