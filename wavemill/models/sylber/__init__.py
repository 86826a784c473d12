"""`sylber`: self-segmentation distillation, in two stages."""
