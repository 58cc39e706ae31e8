//! The `reledger` command.

fn main() -> std::process::ExitCode {
    reledger::cli::main()
}
