"""Every command's config: dataclasses with types and checks; the values stand in conf/."""
