//! The command-line tool; see `haproxy_vertex::cli`.

fn main() -> std::process::ExitCode {
    haproxy_vertex::cli::run()
}
