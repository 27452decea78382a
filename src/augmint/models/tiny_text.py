"""tiny-text: all-MiniLM-L6-v2 made into a masked language model by a few megabytes of its own.

The file holds a `BertForMaskedLM` head, biases and LayerNorms of the layers, the word vector of [MASK], which MiniLM
never met, and for each matrix W of the layers a product of thin ones (`models.thin`). `recipes/tiny_text.py` made it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from augmint.models.text import load_folder, quiet
from augmint.models.thin import merged

HEAD = "tiny_text_head.safetensors"
MASK_ROW = "bert.embeddings.word_embeddings.mask_row"


def assemble(head: Path, body: dict[str, Path], dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """Tokenizer and a plain `BertForMaskedLM` of the head's file and the verified files of its body."""
    from transformers import BertForMaskedLM

    tokenizer, bert = load_folder(body)
    with quiet():
        net = BertForMaskedLM(bert.config)
    net.bert.load_state_dict({name: value for name, value in bert.state_dict().items() if "pooler" not in name})
    learned = {name: value.float().numpy() for name, value in load_file(head).items()}
    row = learned.pop(MASK_ROW)
    with torch.no_grad():
        for name, value in merged(net, learned).items():
            net.get_parameter(name).copy_(value)
        net.bert.embeddings.word_embeddings.weight[tokenizer.mask_token_id] = torch.from_numpy(np.asarray(row))
    net.tie_weights()
    return tokenizer, net.to(dtype).eval().requires_grad_(False)
