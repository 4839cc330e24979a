"""A table of attacks, each beside the honest request that resembles it: none must reach Google in the
form that does harm, and none of the honest ones must be refused."""
