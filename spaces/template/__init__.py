"""Template spaces: any PyGlove value with `pg.oneof`, `pg.manyof`, `pg.permutate` and `pg.floatv` in it."""

from isozyme.spaces.template.space import TemplateSpace

__all__ = ["TemplateSpace"]
