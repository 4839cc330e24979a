# haproxy-vertex. `make help` lists the targets.

PREFIX ?= /usr
DESTDIR ?=
CARGO ?= cargo

build-%:
	$(CARGO) build --release --features lua$(subst .,,$*) --target-dir target/lua$(subst .,,$*)
	install -D -m 644 target/lua$(subst .,,$*)/release/libhaproxy_vertex.so dist/lua/$*/haproxy_vertex.so
