# make help says what there is to make.

CARGO ?= cargo
CC ?= cc
PREFIX ?= /usr/local
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
HTML := $(or $(CARGO_TARGET_DIR),target)/html
# rustup's cargo may be in no other place.
export PATH := $(PATH):$(HOME)/.cargo/bin

# As .cargo/config.toml says, which does not reach past CFLAGS of the environment.
export CFLAGS := $(strip $(filter-out -DHAVE_POLL,$(CFLAGS)) -DHAVE_POLL)

# The examples find the library beside themselves.
EXAMPLE = $(CC) -std=c11 -O2 -Wall -Wextra -pedantic -Iinclude $< -o $@ \
	-L$(RELEASE) -lrouet -Wl,-rpath,'$$ORIGIN'

INSTALL = PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' \
	MANDIR='$(MANDIR)' FEATURES='$(FEATURES)' scripts/install

.PHONY: all library site bare buffered demo bench test soak fuzz shuttle sanitize miri lint docs abi html \
	install uninstall npm clean help

all: library $(RELEASE)/fetch $(RELEASE)/throughput ## the library and the examples, in target/release

library:
	scripts/setup build
	$(CARGO) build --locked --release

site: library
	$(CARGO) build --locked --release --package rouet-site

$(RELEASE)/%: examples/c/%.c include/rouet.h | library
	$(EXAMPLE)

bare: library ## the measuring programs, benches/*.c, with the library's own libcurl
	scripts/bare

buffered: library ## benches/buffered.c, in target/release
	$(CC) -std=c11 -O2 -Wall -Wextra -Werror -pedantic -Iinclude benches/buffered.c \
		-o $(RELEASE)/buffered -L$(RELEASE) -lrouet -Wl,-rpath,'$$ORIGIN'

demo: all site ## fetch a small web on this machine, politely, and say how that went
	scripts/demo

bench: ## measures everything, beside its peers: docs/benchmarks.md
	benches/bench

test: ## everything that is tested, after the tools for it are there
	scripts/setup test
	$(MAKE) all lint
	scripts/exports $(RELEASE)/librouet.so
	scripts/test

soak: library ## threads, faults, cancels and frees at random for SECONDS (3600), from SEED (any)
	ROUET_CHAOS_SECONDS=$(or $(SECONDS),3600) ROUET_CHAOS_SEED=$(or $(SEED),$(shell date +%s)) \
		ROUET_LIBRARY=$(abspath $(RELEASE)/librouet.so) \
		$(CARGO) test --locked --test chaos -- --nocapture

fuzz: ## runs the fuzzers, for SECONDS (60) each; TARGETS says which
	scripts/fuzz $(or $(SECONDS),60) $(TARGETS)

shuttle: ## how threads hand over to each other, in ten times as many orders as in make test
	ROUET_ORDERS=1000 $(CARGO) test --locked --features shuttle --lib pool::models

sanitize: ## tests with AddressSanitizer, then ThreadSanitizer, in the library and curl, with a nightly Rust
	scripts/sanitize address
	scripts/sanitize thread

miri: ## the library's own tests under Miri, with a nightly Rust
	scripts/miri

lint: html ## formatting, clippy, documentation, the man page, and the header as the sources have it
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path benches/peers/rust/Cargo.toml
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --package rouet
	scripts/man 0 | mandoc -T lint -W warning
	git diff --exit-code include/rouet.h

docs: ## docs/options.md, from the sources
	ROUET_WRITE_DOCS=1 $(CARGO) test --locked --test docs options_reference

abi: ## abi/VERSION, what programs compiled with this version rely on
	mkdir -p abi
	ROUET_WRITE_ABI=1 $(CARGO) test --locked --test abi the_record

html: ## the header as HTML, in target/html
	mkdir -p $(HTML)
	ROUET_HTML=$(HTML) doxygen

install: ## the libraries, headers, rouet.pc, CMake package and man page, below PREFIX (/usr/local)
	scripts/setup install
	$(INSTALL)

uninstall: ## takes that away again
	$(INSTALL) --remove

npm: library ## the npm package, with the library inside, in target/npm
	cd bindings/node && npm ci --no-audit --no-fund
	node bindings/node/scripts/pack.mjs $(dir $(RELEASE))npm $(RELEASE)/librouet.so

clean: ## what was built
	$(CARGO) clean

help: ## this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10
