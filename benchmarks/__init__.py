"""How fast the TOM is, beside the fastest that the parts it is made of allow on the same machine."""
