"""What stands around a test: HAProxy, its configuration, the stand-in, certificates, clocks."""
