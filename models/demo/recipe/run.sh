#!/bin/sh
# From nothing to models/demo: data, tokenizer, training, export. Debian's python3-torch; OpenBLAS (libopenblas0-pthread)
# in place of the reference BLAS makes training about a hundred times faster.
# Usage: run.sh WORK [MINUTES]
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?"usage: run.sh WORK [MINUTES]"}
minutes=${2:-240}

# Buffers of a step are kept instead of being mapped anew for every operation.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1000000000000 MALLOC_TOP_PAD_=500000000

mkdir -p "$work"
cd "$here"
/usr/bin/python3 generate.py "$work/data"
/usr/bin/python3 tokenizer.py "$work/data" "$work/tokenizer"
/usr/bin/python3 train.py "$work/data" "$work/tokenizer" "$work/model.pt" --minutes "$minutes"
/usr/bin/python3 export.py "$work/model.pt" "$work/tokenizer" "$work/data/heldout.jsonl" "$here/.."
echo "Now: ./llmc model eval models/demo"
