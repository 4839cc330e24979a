fn main() -> std::process::ExitCode { haproxy_vertex::cli::run() }
