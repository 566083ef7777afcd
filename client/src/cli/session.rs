//! What every command shares: where the server is, whose tenant, how to print, and the connection.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use offpeak_client::{Client, ConnectOptions, DEFAULT_ENDPOINT, DEFAULT_TIMEOUT};

use super::{
    context::{Config, Context},
    failure::Failure,
    human,
    output::{Format, Out},
};

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The server, as http://HOST:PORT [default: that of the context, else http://127.0.0.1:7470]
    #[arg(
        long,
        global = true,
        env = "OFFPEAK_ENDPOINT",
        hide_env_values = true,
        value_name = "URL"
    )]
    endpoint: Option<String>,
    /// Use this context instead of the current one
    #[arg(
        long,
        global = true,
        env = "OFFPEAK_CONTEXT",
        hide_env_values = true,
        value_name = "NAME"
    )]
    context: Option<String>,
    /// The tenant [default: that of the context]
    #[arg(
        long,
        short = 't',
        global = true,
        env = "OFFPEAK_TENANT",
        hide_env_values = true,
        value_name = "NAME"
    )]
    tenant: Option<String>,
    /// How to print
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_possible_values = true,
        help = "How to print: table, wide, json, jsonl, yaml or name; statements and forecasts also csv"
    )]
    output: Format,
    /// How long to wait for an answer; for `job wait`, for the job [default: 30s; job wait: no limit]
    #[arg(long, global = true, value_parser = human::parse_duration, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// No colours (also with NO_COLOR set)
    #[arg(long, global = true)]
    no_color: bool,
    /// No messages besides errors
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// The globals with contexts and defaults worked in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) endpoint: String,
    pub(crate) tenant: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) out: Out,
    pub(crate) config_path: Option<PathBuf>,
    /// The tenant was named for this command and is not only the context's.
    pub(crate) tenant_is_explicit: bool,
    pub(crate) context: Option<String>,
}

impl Globals {
    pub(crate) fn no_color(&self) -> bool {
        self.no_color
    }

    /// What `context set` keeps.
    pub(crate) fn as_context(&self) -> Context {
        Context { endpoint: self.endpoint.clone(), tenant: self.tenant.clone() }
    }
}

impl Session {
    /// Works out the options. Contexts are not looked at when `ignore_contexts` is set, so that a broken choice of
    /// context can be repaired.
    pub(crate) fn new(globals: Globals, ignore_contexts: bool) -> Result<Self, Failure> {
        let config_path = Config::path();
        let context = if ignore_contexts {
            Context::default()
        } else {
            Config::load(config_path.as_deref())?.choose(globals.context.as_deref())?
        };
        Ok(Self {
            endpoint: globals
                .endpoint
                .or(context.endpoint)
                .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            tenant_is_explicit: globals.tenant.is_some(),
            tenant: globals.tenant.or(context.tenant),
            timeout: globals.timeout,
            out: Out::new(globals.output, globals.quiet, globals.no_color),
            config_path,
            context: globals.context,
        })
    }

    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        self.connect_for(timeout).await
    }

    /// Connects for a command that gives `--timeout` a meaning of its own.
    pub(crate) async fn connect_for(&self, timeout: Duration) -> Result<Client, Failure> {
        let mut options = ConnectOptions::to(&self.endpoint);
        options.timeout = timeout;
        options.connect_timeout = options.connect_timeout.min(timeout);
        Ok(Client::connect(options).await?)
    }

    /// The tenant, where one is needed.
    pub(crate) fn tenant(&self) -> Result<&str, Failure> {
        self.tenant.as_deref().ok_or_else(|| {
            Failure::usage("no tenant is named")
                .hint("pass --tenant, set OFFPEAK_TENANT, or keep one with `offpeak context set`")
        })
    }

    /// Splits `TENANT/JOB`, also with `job/` in front; a job alone is one of the session's tenant.
    pub(crate) fn job(&self, text: &str) -> Result<(String, String), Failure> {
        let text = text.strip_prefix("job/").unwrap_or(text);
        match text.split_once('/') {
            Some((tenant, job)) => Ok((tenant.to_owned(), job.to_owned())),
            None => Ok((self.tenant()?.to_owned(), text.to_owned())),
        }
    }
}
