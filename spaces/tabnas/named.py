"""The sizes that TabNAS chooses from on Criteo, and its reference network (tabnas.md, section 2)."""

WIDTHS = (8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 384, 512)

NAMED: dict[str, tuple[int, ...]] = {
    # A bottleneck, of 41,153 parameters on 1027 inputs: the paper's limit.
    "tabnas": (32, 144, 24),
}
