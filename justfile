# Everything that decides whether a change lands.
check:
    .ci/run

# Formatting, lints, generated files.
tidy:
    cargo fmt --all
    cargo clippy --workspace --all-targets
    cargo xtask tidy

# Writes the generated files: golden policies, the CRD, the CLI reference.
generate:
    cargo xtask generate

# The rule against the rendered policies on a million requests.
soak:
    NODEBOUND_CASES=1000000 cargo test --release --package nodebound-tests --test agreement -- --nocapture

# Ratios in one run; absolute times say little on a shared machine.
bench:
    cargo bench --package nodebound-ownership --package nodebound-tests

# The guards, the recorded answers and the workloads on a real API server: just server /usr/local/kubebuilder/bin
server assets:
    KUBEBUILDER_ASSETS={{assets}} cargo test --package nodebound-tests --test server --test conformance --test workloads -- --test-threads=1

# The sandbox's store against a naive model, a hundred thousand operations.
store:
    SANDBOX_OPERATIONS=100000 cargo test --release --package nodebound-sandbox store::

# Mutants of the rule; the property tests would hide what the tables miss.
mutants:
    cargo mutants --package nodebound-ownership
