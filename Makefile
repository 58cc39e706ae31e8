# Every target explains itself: `make help`.
CARGO ?= cargo
SHELL := /bin/sh
# Many tests wait for sockets and for processes that they killed: two for each core keep it busy.
TEST_THREADS ?= $(shell echo $$((2 * $$(nproc 2>/dev/null || echo 2))))

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

drill: ## build, then run the main job twice into out/: on the real inputs, and on a seeded honest world over loopback
	$(CARGO) build --locked --bin reledger
	@scripts/drill.sh

test: ## run every test (needs nothing but Rust)
	RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --locked --quiet

test-peers: ## journals by hledger and beancount, fees against Node, relays of others (what is not here is skipped loudly)
	@CARGO="$(CARGO)" scripts/peers.sh

test-renderings: ## renderings and schemas before readers of others (RELEDGER_RENDERINGS=n strings; what is not here is skipped loudly)
	@CARGO="$(CARGO)" scripts/renderings.sh

test-browser: ## report.html in headless Chromium, from disk and without a network (what is not here is skipped loudly)
	@CARGO="$(CARGO)" scripts/browser.sh

contrib: ## units, workflow, image and scripts before their linters (what is not here is skipped loudly)
	@scripts/contrib.sh

check: ## formatting, lock files, lints, feature sets, spelling, licences; installs nothing
	$(CARGO) fmt --check
	$(CARGO) update --quiet --workspace --locked --manifest-path peers/Cargo.toml
	$(CARGO) update --quiet --workspace --locked --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features redb -- -D warnings
	@scripts/optional.sh typos typos
	@scripts/optional.sh cargo-deny $(CARGO) deny check bans licenses sources

bench: ## every step and a whole drill beside the bare signatures of the same events; figures as JSON in target/bench (RELEDGER_BENCH_ENVELOPES=n)
	$(CARGO) bench --locked --bench pipeline

instructions: ## instructions of verification and projection under callgrind, within 3 % of those known (INSTRUCTIONS=--write)
	@CARGO="$(CARGO)" scripts/instructions.sh $(INSTRUCTIONS)

bench-project: ## envelope and rebind projections on one thread at three sizes, and how they grow (RELEDGER_BENCH_ENVELOPES=n)
	$(CARGO) bench --locked --bench project

bench-treasury: ## all ledgers and the whole reconciliation at three sizes, time, memory and growth (RELEDGER_BENCH_ENVELOPES=n, RELEDGER_TREASURY=n)
	$(CARGO) bench --locked --bench treasury
	RELEDGER_TREASURY=$${RELEDGER_TREASURY:-1000000} $(CARGO) test --locked --release --lib reconcile::tests::large -- --nocapture

bench-balances: ## all balances and their sum tree on one thread at three sizes, and how they grow (RELEDGER_BENCH_USERS=n)
	$(CARGO) bench --locked --bench balances

bench-page: ## the page of a report with many divergences at three sizes beside its floor (RELEDGER_PAGE=n, RELEDGER_PAGE_OUT=folder)
	$(CARGO) bench --locked --bench page

bench-evidence: ## proofs of a block, BIP-322 signatures and 900,000 headers on one core, beside their bare cryptography
	$(CARGO) bench --locked --bench evidence --bench headers

bench-batch: ## batches of signatures beside the single verifiers, by size and number of authors (RELEDGER_BENCH_SIGNATURES=n)
	$(CARGO) bench --locked --bench batch

bench-snapshot: ## making and verifying a snapshot of RELEDGER_BENCH_MB of evidence beside zstd and sha256 over the same bytes
	$(CARGO) bench --locked --bench snapshot

bench-capture: ## capture from four loopback relays beside its two floors (RELEDGER_BENCH_EVENTS=n, RELEDGER_BENCH_MODE=pages|lists)
	$(CARGO) bench --locked --bench capture

bench-peers: ## what a user would otherwise pick over the same events and proofs, as a table and target/bench/peers.json (RELEDGER_BENCH_EVENTS=n, RELEDGER_BENCH_AUTHORS=n, RELEDGER_BENCH_ROUNDS=n)
	@CARGO="$(CARGO)" scripts/bench_peers.sh

bench-redis: ## a restore into Redis and its comparison beside bare pipelined writes, time and memory (RELEDGER_BENCH_ENVELOPES=n)
	RELEDGER_BENCH_ENVELOPES=$${RELEDGER_BENCH_ENVELOPES:-1000000} $(CARGO) bench --locked --bench redis

cuts: ## snapshots at RELEDGER_CUTS (1,000) drawn instants, restored and replayed, beside the run that was never away (RELEDGER_CUTS_SEED=n)
	RELEDGER_CUTS=$${RELEDGER_CUTS:-1000} $(CARGO) test --locked --test it cuts:: -- --nocapture

redis-kills: ## loads into Redis ended at RELEDGER_REDIS_KILLS bytes each way, by killing the server and by cutting the connection
	RELEDGER_REDIS_KILLS=$${RELEDGER_REDIS_KILLS:-60} RELEDGER_REQUIRE_SERVICES=1 $(CARGO) test --locked --test it restore_redis::cut -- --nocapture

workers: ## worlds with 1, 2 and 4 workers, and drills cut at bytes (RELEDGER_WORKER_WORLDS=n, RELEDGER_WORKER_CUTS=n)
	RELEDGER_WORKER_WORLDS=$${RELEDGER_WORKER_WORLDS:-20} RELEDGER_WORKER_CUTS=$${RELEDGER_WORKER_CUTS:-60} RELEDGER_REQUIRE_SERVICES=1 $(CARGO) test --locked --test it postgres:: -- --nocapture

bench-workers: ## CPU time an event of 0, 1, 2 and 4 workers and their server beside one process (RELEDGER_BENCH_EVENTS=n, RELEDGER_BENCH_ROUNDS=n)
	CARGO_PROFILE_BENCH_STRIP=symbols $(CARGO) bench --locked --bench workers

kills: ## captures, restores, snapshots and seals killed at random moments, RELEDGER_KILLS of each
	RELEDGER_KILLS=$${RELEDGER_KILLS:-30} $(CARGO) test --locked --test it replay::kills -- --nocapture
	RELEDGER_KILLS=$${RELEDGER_KILLS:-30} $(CARGO) test --locked --test it snapshots::killed -- --nocapture

crash: ## every point of the crash matrix: snapshots, restores, checkpoints and runs killed, without room and without power (needs cc)
	RELEDGER_CRASH=all $(CARGO) test --locked --test it crash:: -- --nocapture

batch-diff: ## batches of good and of mutated signatures against single verification (RELEDGER_BATCH_CHECKS=n, RELEDGER_SEED=n)
	RELEDGER_BATCH_CHECKS=$${RELEDGER_BATCH_CHECKS:-10000000} \
		$(CARGO) test --locked --release --lib verify::batch::tests::campaign -- --nocapture

fuzz: ## a long campaign of mutated inputs against every decoder and the verifier (RELEDGER_FUZZ_CASES=n)
	RELEDGER_FUZZ_CASES=$${RELEDGER_FUZZ_CASES:-2000000} $(CARGO) test --locked --test it fuzz -- --nocapture

fuzz-targets: ## every coverage-guided target of fuzz/ for FUZZ_SECONDS, two at a time (needs cargo-fuzz and a nightly compiler)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} scripts/fuzz_targets.sh

checkpoints: ## a chain of RELEDGER_CHECKPOINTS checkpoints, judged with every root drawn again; tells the time
	RELEDGER_CHECKPOINTS=$${RELEDGER_CHECKPOINTS:-10000} $(CARGO) test --locked --release --test it checkpoints::chain::a_long -- --nocapture

laws: ## the laws of tests/it/laws.rs on RELEDGER_LAWS_CASES cases each
	RELEDGER_LAWS_CASES=$${RELEDGER_LAWS_CASES:-200} $(CARGO) test --locked --test it laws:: -- --nocapture

acknowledged: ## RELEDGER_ACK_WORLDS worlds of faults in which everything that can be signed for is signed for
	RELEDGER_ACK_WORLDS=$${RELEDGER_ACK_WORLDS:-100} $(CARGO) test --locked --test it acknowledgements::worlds -- --nocapture

bundles: ## every fault of RELEDGER_BUNDLES worlds as a bundle that is judged again; prints what stands alone
	RELEDGER_BUNDLES=$${RELEDGER_BUNDLES:-60} $(CARGO) test --locked --test it bundles::planted -- --nocapture

pages: ## payment logs at RELEDGER_LOG_TIPS tips, and RELEDGER_PAGES_CASES paged answers with and without faults
	RELEDGER_LOG_TIPS=$${RELEDGER_LOG_TIPS:-500} $(CARGO) test --locked --lib log_paging -- --nocapture
	RELEDGER_PAGES_CASES=$${RELEDGER_PAGES_CASES:-500} $(CARGO) test --locked --test it substrate_net::paging -- --nocapture

mutants: ## cargo-mutants over verify, ledger and reconcile against their unit tests (MUTANTS="--shard 11/16 --sharding round-robin")
	CARGO_PROFILE_DEV_DEBUG=false $(CARGO) mutants --no-default-features --timeout 60 $(MUTANTS)

worlds: ## worlds with planted faults against the oracle (WORLDS=n)
	$(CARGO) run --locked --quiet -- sim run --worlds $${WORLDS:-200} --faults all --shrink

relay-worlds: ## captures generated relays, honest and not, and judges every claim (RELEDGER_RELAY_WORLDS=n, RELEDGER_RELAY_SEED=n)
	RELEDGER_RELAY_WORLDS=$${RELEDGER_RELAY_WORLDS:-2000} $(CARGO) test --locked --test it relay_worlds:: -- --nocapture

timelines: ## custody at 20 instants of RELEDGER_TIMELINES drawn histories against an oracle (RELEDGER_TIMELINES_SEED=n)
	RELEDGER_TIMELINES=$${RELEDGER_TIMELINES:-500} $(CARGO) test --locked --test it custody_timelines:: -- --nocapture

balances: ## one wrong user among RELEDGER_BALANCES_USERS found by comparison and by bisection, every kind of place
	RELEDGER_BALANCES_USERS=$${RELEDGER_BALANCES_USERS:-1000000} $(CARGO) test --locked --lib reconcile::tests::balances -- --nocapture
	RELEDGER_BALANCES_USERS=$${RELEDGER_BALANCES_USERS:-1000000} $(CARGO) test --locked --test it diff::one_wrong -- --nocapture

identity: ## every way to the report of RELEDGER_WORLDS worlds, byte for byte
	RELEDGER_WORLDS=$${RELEDGER_WORLDS:-200} $(CARGO) test --locked --test it identity:: -- --nocapture

variations: ## the report and its renderings of RELEDGER_VARIATIONS bundles in other surroundings (RELEDGER_BIN, RELEDGER_OTHER_BIN=programs)
	RELEDGER_VARIATIONS=$${RELEDGER_VARIATIONS:-200} $(CARGO) test --locked --test it identity::variations -- --nocapture

coverage: ## the coverage table of RELEDGER_COVERAGE_WORLDS worlds against what their sources hold
	RELEDGER_COVERAGE_WORLDS=$${RELEDGER_COVERAGE_WORLDS:-200} $(CARGO) test --locked --test it coverage::coverage_and -- --nocapture

relays: ## drawn relays against the truth about them (RELEDGER_RELAYS=n)
	RELEDGER_RELAYS=$${RELEDGER_RELAYS:-2000} $(CARGO) test --locked --test it relay_drawn -- --nocapture

hand-mutants: ## turns off one check after the other (tests/mutants) and asks `sim run` whether it notices
	@scripts/mutants.sh

docs: ## the library's documentation
	$(CARGO) doc --locked --no-deps --document-private-items

clean: ## remove what `drill` wrote
	rm -rf out
