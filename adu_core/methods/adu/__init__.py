"""ADU, the paper's method: prompts, InstaPG, their adapter, and the objective they learn by."""
