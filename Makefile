# Every target explains itself: `make help`.
CARGO ?= cargo
SHELL := /bin/sh

.PHONY: help drill test check bench fuzz fuzz-targets laws mutants worlds identity hand-mutants relays docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

drill: ## build, then run the main job twice into out/: on the real inputs, and on a seeded honest world over loopback
	$(CARGO) build --locked --bin reledger
	@scripts/drill.sh

test: ## run every test (needs nothing but Rust)
	$(CARGO) test --locked --quiet

check: ## formatting, lints, feature sets, spelling, licences; installs nothing
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features redb -- -D warnings
	@scripts/optional.sh typos typos
	@scripts/optional.sh cargo-deny $(CARGO) deny check bans licenses sources

bench: ## speed as ratios to the bare cryptographic floor, in one process
	$(CARGO) bench --locked --bench floor

fuzz: ## a long campaign of mutated inputs against every decoder and the verifier (RELEDGER_FUZZ_CASES=n)
	RELEDGER_FUZZ_CASES=$${RELEDGER_FUZZ_CASES:-2000000} $(CARGO) test --locked --test it fuzz -- --nocapture

fuzz-targets: ## every coverage-guided target of fuzz/ for FUZZ_SECONDS, two at a time (needs cargo-fuzz and a nightly compiler)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} scripts/fuzz_targets.sh

laws: ## the laws of tests/it/laws.rs on RELEDGER_LAWS_CASES cases each
	RELEDGER_LAWS_CASES=$${RELEDGER_LAWS_CASES:-200} $(CARGO) test --locked --test it laws:: -- --nocapture

mutants: ## cargo-mutants over verify, ledger and reconcile against their unit tests (MUTANTS="--shard 11/16 --sharding round-robin")
	CARGO_PROFILE_DEV_DEBUG=false $(CARGO) mutants --no-default-features --timeout 60 $(MUTANTS)

worlds: ## worlds with planted faults against the oracle (WORLDS=n)
	$(CARGO) run --locked --quiet -- sim run --worlds $${WORLDS:-200} --faults all --shrink

identity: ## every way to the report of RELEDGER_WORLDS worlds, byte for byte
	RELEDGER_WORLDS=$${RELEDGER_WORLDS:-200} $(CARGO) test --locked --test it identity:: -- --nocapture

relays: ## drawn relays against the truth about them (RELEDGER_RELAYS=n)
	RELEDGER_RELAYS=$${RELEDGER_RELAYS:-2000} $(CARGO) test --locked --test it relay_drawn -- --nocapture

hand-mutants: ## turns off one check after the other (tests/mutants) and asks `sim run` whether it notices
	@scripts/mutants.sh

docs: ## the library's documentation
	$(CARGO) doc --locked --no-deps --document-private-items

clean: ## remove what `drill` wrote
	rm -rf out
