# make help says what there is to make.

CARGO ?= cargo
CC ?= cc
PREFIX ?= /usr/local
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
HTML := $(or $(CARGO_TARGET_DIR),target)/html
# rustup's cargo, which knows +nightly, may be in no other place.
export PATH := $(PATH):$(HOME)/.cargo/bin
# Finds the Rust that scripts/setup found or installed.
RUST = . scripts/tools; find_rust;

# As .cargo/config.toml says, which does not reach past CFLAGS of the environment.
export CFLAGS := $(strip $(filter-out -DHAVE_POLL,$(CFLAGS)) -DHAVE_POLL)

# The examples find the library beside themselves.
EXAMPLE = $(CC) -std=c11 -O2 -Wall -Wextra -pedantic -Iinclude $< -o $@ \
	-L$(RELEASE) -lrouet -Wl,-rpath,'$$ORIGIN'

INSTALL = PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' \
	MANDIR='$(MANDIR)' FEATURES='$(FEATURES)' scripts/install

.PHONY: all library site bare buffered demo bench test quick fresh soak fuzz shuttle sanitize miri lint deny \
	options abi html install uninstall npm clean help

all: library $(RELEASE)/fetch $(RELEASE)/throughput ## the library and the examples, in target/release

library:
	scripts/setup build
	scripts/build

site: library
	$(RUST) $(CARGO) build --locked --release --package rouet-site

$(RELEASE)/%: examples/c/%.c include/rouet.h | library
	$(EXAMPLE)

bare: library ## the measuring programs, benches/*.c, with the library's own libcurl
	scripts/bare

buffered: library ## benches/buffered.c, in target/release
	$(CC) -std=c11 -O2 -Wall -Wextra -Werror -pedantic -Iinclude benches/buffered.c \
		-o $(RELEASE)/buffered -L$(RELEASE) -lrouet -Wl,-rpath,'$$ORIGIN'

demo: ## fetch a small web on this machine, politely, and say how that went
	scripts/demo

bench: ## measures everything, beside its peers: docs/benchmarks.md
	scripts/setup bench
	. scripts/tools; find_rust; find_go; find_node; benches/bench

test: ## everything that is tested, after the tools for it are there; STEPS says which steps
	scripts/test $(STEPS)

quick: ## formatting, clippy and the library's own tests, for between two changes
	$(RUST) $(CARGO) fmt --all --check && \
	$(CARGO) clippy --locked --workspace --all-targets --features capi -- -D warnings && \
	$(CARGO) test --locked --features capi --lib

fresh: ## demo and tests in bare roots of each system, as root and as a user: hours; SYSTEM, WHO
	scripts/fresh $(SYSTEM) $(WHO)

soak: library ## threads, faults, cancels and frees at random for SECONDS (3600), from SEED (any)
	ROUET_CHAOS_SECONDS=$(or $(SECONDS),3600) ROUET_CHAOS_SEED=$(or $(SEED),$(shell date +%s)) \
		ROUET_LIBRARY=$(abspath $(RELEASE)/librouet.so) \
		sh -c '$(RUST) $(CARGO) test --locked --features capi --test chaos -- --nocapture'

fuzz: ## runs the fuzzers, for SECONDS (60) each; TARGETS says which
	scripts/fuzz $(or $(SECONDS),60) $(TARGETS)

shuttle: ## how threads hand over to each other, in ten times as many orders as in make test
	$(RUST) ROUET_ORDERS=1000 $(CARGO) test --locked --features shuttle --lib pool::models

sanitize: ## tests with AddressSanitizer, then ThreadSanitizer, in the library and curl, with a nightly Rust
	scripts/sanitize address
	scripts/sanitize thread

miri: ## the library's own tests under Miri, with a nightly Rust
	scripts/miri

# With the Rust that this project tries: a newer one has lints that nobody here has seen.
lint: ## formatting, clippy, documentation, the man page, crates' licences, and the header as the sources have it
	scripts/setup lint
	$(MAKE) html
	. scripts/tools; export RUSTUP_TOOLCHAIN=$$RUST_TRIED; find_rust; \
	cargo fmt --all --check && \
	cargo fmt --check --manifest-path benches/peers/rust/Cargo.toml && \
	cargo fmt --check --manifest-path fuzz/Cargo.toml && \
	cargo clippy --locked --workspace --all-targets --features capi -- -D warnings && \
	for features in '' isahc shuttle; do \
		cargo clippy --locked --all-targets --features "$$features" -- -D warnings || exit; done && \
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --package rouet
	scripts/man 0 | mandoc -T lint -W warning
	git diff --exit-code include/rouet.h
	. scripts/tools; find_rust; if find_deny; then \
		cargo fetch --locked && cargo-deny --locked --offline check bans licenses sources; \
	else echo "lint: the crates' licences and sources go unchecked, for want of cargo-deny"; fi

# Beyond what make lint checks: known faults of the crates. The database of them is downloaded by git.
deny: ## licences, sources and known faults of the crates we use
	scripts/setup lint
	. scripts/tools; find_rust; find_deny && cargo-deny --locked check

options: ## what each language has of the options, from options/options.toml
	$(RUST) $(CARGO) run --locked --quiet --package rouet-options

abi: ## abi/VERSION, what programs compiled with this version rely on
	mkdir -p abi
	$(RUST) ROUET_WRITE_ABI=1 $(CARGO) test --locked --features capi --test abi the_record

html: ## the header as HTML, in target/html
	mkdir -p $(HTML)
	ROUET_HTML=$(HTML) doxygen

install: ## the libraries, headers, rouet.pc, CMake package and man page, below PREFIX (/usr/local)
	scripts/setup build
	$(INSTALL)

uninstall: ## takes that away again
	$(INSTALL) --remove

npm: library ## the npm package, with the library inside, in target/npm
	. scripts/tools; find_node; (cd bindings/node && npm ci --no-audit --no-fund) && \
	node bindings/node/scripts/pack.mjs $(dir $(RELEASE))npm $(RELEASE)/librouet.so

clean: ## what was built
	$(RUST) $(CARGO) clean

help: ## this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10
