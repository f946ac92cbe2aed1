//! The site at the command line: serves it, tells URLs of it, and reads its logs.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use rouet_site::{Faults, Options, Report, Site, urls};

const USAGE: &str = "\
usage:
  site serve [--port N] [--log FILE] [--port-file FILE]
             [--tls] [--https-port N] [--ca-file FILE]
      serves until SIGTERM or SIGINT; prints the http port, then the https
      one if any, a line each (the port file has the same)
  site faults
      serves what misbehaves until SIGTERM or SIGINT; prints the port
  site urls [--count N] [--domains N] [--port N]
      prints N URLs (2000) over N domains (60)
  site report LOG [--throttle SECONDS]
      sums a log up; exits 1 if two requests to one domain started closer
      than the throttle
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let arguments = Arguments(arguments.collect());
    let done = match command.as_str() {
        "serve" => serve(arguments),
        "faults" => serve_faults(arguments),
        "urls" => print_urls(arguments),
        "report" => report(arguments),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("site: {error}");
            ExitCode::from(2)
        }
    }
}

type Done = Result<ExitCode, Box<dyn std::error::Error>>;

fn serve(mut arguments: Arguments) -> Done {
    let ca_file: Option<PathBuf> = arguments.take("--ca-file")?;
    let port_file: Option<PathBuf> = arguments.take("--port-file")?;
    let options = Options {
        port: arguments.take("--port")?.unwrap_or(0),
        tls: arguments.flag("--tls"),
        https_port: arguments.take("--https-port")?.unwrap_or(0),
        keep_log: false,
        log_file: arguments.take("--log")?,
    };
    arguments.end()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = stopped()?; // from now on: the port is told to who may stop us at once
        let site = Site::start(options)?;
        if let (Some(from), Some(to)) = (site.ca_file(), ca_file) {
            fs::copy(from, to)?;
        }
        let mut ports = format!("{}\n", site.port());
        if let Some(port) = site.https_port() {
            ports.push_str(&format!("{port}\n"));
        }
        if let Some(file) = port_file {
            write_whole(&file, &ports)?;
        }
        print!("{ports}");
        io::stdout().flush()?;
        stop.await;
        drop(site); // which flushes the log
        Ok(ExitCode::SUCCESS)
    })
}

fn serve_faults(arguments: Arguments) -> Done {
    arguments.end()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = stopped()?;
        let faults = Faults::start()?;
        println!("{}", faults.port());
        stop.await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes a file that is never seen in part.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)?;
    fs::rename(&part, file)
}

/// What waits for the signals to stop, which are caught as soon as this is called.
#[cfg(unix)]
fn stopped() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        std::future::poll_fn(|context| {
            match terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready()
            {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    })
}

/// What waits for Ctrl-C.
#[cfg(not(unix))]
fn stopped() -> io::Result<impl Future<Output = ()>> {
    Ok(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
}

fn print_urls(mut arguments: Arguments) -> Done {
    let count = arguments.take("--count")?.unwrap_or(2000);
    let domains: usize = arguments.take("--domains")?.unwrap_or(60);
    let port = arguments.take("--port")?;
    arguments.end()?;
    if domains == 0 {
        return Err("--domains has to be 1 or more".into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for url in urls(count, domains, port) {
        writeln!(out, "{url}")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn report(mut arguments: Arguments) -> Done {
    let throttle: Option<f64> = arguments.take("--throttle")?;
    let throttle = throttle.map(Duration::try_from_secs_f64).transpose()?;
    let file = arguments.next().ok_or(USAGE)?;
    arguments.end()?;
    let report = Report::read(BufReader::new(File::open(file)?))?;
    println!("{report}");
    match throttle.and_then(|throttle| report.impolite(throttle)) {
        Some(complaint) => {
            eprintln!("site: {complaint}");
            Ok(ExitCode::FAILURE)
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The command's arguments, taken one by one.
struct Arguments(Vec<String>);

impl Arguments {
    /// Whether a flag is given.
    fn flag(&mut self, name: &str) -> bool {
        let place = self.0.iter().position(|argument| argument == name);
        place.map(|place| self.0.remove(place)).is_some()
    }

    /// The value of an option.
    fn take<T>(&mut self, name: &str) -> Result<Option<T>, String>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let Some(place) = self.0.iter().position(|argument| argument == name) else {
            return Ok(None);
        };
        self.0.remove(place);
        if place == self.0.len() {
            return Err(format!("{name} needs a value"));
        }
        let value = self.0.remove(place);
        match value.parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(format!("{name} {value}: {error}")),
        }
    }

    /// The next argument that is not an option's.
    fn next(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Refuses what is left.
    fn end(self) -> Result<(), String> {
        match self.0.first() {
            Some(unknown) => Err(format!("unknown argument {unknown}\n{USAGE}")),
            None => Ok(()),
        }
    }
}
