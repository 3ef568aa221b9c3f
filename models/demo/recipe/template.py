"""The chat template: as Jinja for tokenizer_config.json, and the same in Python for training."""

SPECIAL = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|pad|>"]
END = SPECIAL[0]

JINJA = """\
{%- set first = messages[0] if messages else none -%}
{%- set prompt = first.content if first and first.role == 'system' else '' -%}
{%- if prompt or tools -%}
{{- '<|system|>' + prompt -}}
{%- if tools -%}
{{- ('\\n' if prompt else '') + 'Tools:' -}}
{%- for tool in tools -%}
{%- set function = tool.function if tool.function is defined else tool -%}
{{- '\\n' + function.name + '(' -}}
{%- for name in ((function.parameters or {}).properties or {}) -%}
{{- name + ('' if loop.last else ', ') -}}
{%- endfor -%}
{{- ')' -}}
{%- endfor -%}
{%- endif -%}
{{- '<|end|>' -}}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{%- if not loop.first -%}{{- '<|system|>' + message.content + '<|end|>' -}}{%- endif -%}
{%- elif message.role == 'assistant' -%}
{{- '<|assistant|>' + (message.content or '') -}}
{%- for call in (message.tool_calls or []) -%}
{%- set function = call.function if call.function is defined else call -%}
{{- '<tool_call>{"name": ' + (function.name | tojson) + ', "arguments": ' -}}
{{- function.arguments if function.arguments is string else (function.arguments | tojson) -}}
{{- '}</tool_call>' -}}
{%- endfor -%}
{{- '<|end|>' -}}
{%- else -%}
{{- '<|' + ('tool' if message.role == 'tool' else 'user') + '|>' + message.content + '<|end|>' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""


def segments(conversation):
    """Pairs of text and whether the model is to learn it, special tokens written out."""
    messages = conversation["messages"]
    tools = conversation.get("tools")
    prompt = messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
    if prompt or tools:
        lines = [prompt] if prompt else []
        if tools:
            lines.append("Tools:")
            for tool in tools:
                function = tool["function"]
                lines.append(f"{function['name']}({', '.join(function['parameters']['properties'])})")
        yield "<|system|>" + "\n".join(lines) + END, False
    for i, message in enumerate(messages):
        if message["role"] == "system":
            if i > 0:
                yield f"<|system|>{message['content']}{END}", False
        elif message["role"] == "assistant":
            yield "<|assistant|>", False
            yield message["content"] + END, True
        else:
            yield f"<|{message['role']}|>{message['content']}{END}", False
