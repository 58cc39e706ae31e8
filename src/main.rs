//! The `reledger` command.

/// Records are read, judged and dropped by the million, on one thread what another allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    reledger::cli::main()
}
