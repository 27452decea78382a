"""Corrupt and rebuild with a pretrained model: masked, sequence-to-sequence and causal language models, endpoints.

Methods on samples. Each is handed its model (field ``lm``); none loads one.
"""

TABLE: dict[str, str] = {
    "masked-lm": "augmint.rewriters.masked_lm:MaskedWords",
    "ssmba": "augmint.rewriters.ssmba:Ssmba",
    "span-infill": "augmint.rewriters.span_infill:SpanInfill",
    "paraphrase": "augmint.rewriters.paraphrase:Paraphrase",
    "round-trip": "augmint.rewriters.round_trip:RoundTrip",
    "lm-generate": "augmint.rewriters.lm_generate:LmGenerate",
    "prompt-generate": "augmint.rewriters.prompt_generate:PromptGenerate",
    "hidden-mix": "augmint.rewriters.hidden_mix:HiddenMix",
    "endpoint": "augmint.rewriters.endpoint:Endpoint",
}
