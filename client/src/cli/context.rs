//! Contexts: named servers with a default tenant, kept in a file.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::{
    failure::{Failure, exit},
    human::dash,
    output::Format,
    session::Session,
    table::{self, Cell, left},
};

/// Keep several servers at hand.
///
/// Contexts live in ${XDG_CONFIG_HOME:-~/.config}/offpeak/config.toml.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak --endpoint http://cell.example:7470 --tenant acme context set prod
  offpeak context use prod
  offpeak context list
  offpeak context remove prod
  offpeak --context prod job list")]
pub(crate) enum Command {
    /// List the contexts; the current one has a star
    #[command(visible_alias = "ls")]
    List,
    /// Make a context the current one
    Use {
        /// Its name
        name: String,
    },
    /// Create or change a context: give --endpoint, --tenant or both
    Set {
        /// Its name
        name: String,
    },
    /// Remove a context
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name
        name: String,
    },
}

/// The configuration file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Context>,
}

/// One server and whose tenant to act for there.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
}

/// A context as `context list` prints it for machines.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    current: bool,
    #[serde(flatten)]
    context: &'a Context,
}

impl Config {
    /// Where the file is, if this user has a home at all.
    pub(crate) fn path() -> Option<PathBuf> {
        let folder = env::var_os("XDG_CONFIG_HOME")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))?;
        Some(folder.join("offpeak").join("config.toml"))
    }

    /// Reads the file; none is as good as an empty one.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        toml::from_str(&text).map_err(|error| cannot("read", path, &error))
    }

    fn save(&self, path: &Path) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| cannot("write", path, error);
        let text = toml::to_string(self).map_err(|error| failed(&error))?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        // A new file takes the old one's place whole, so that no reader and no crash sees half of it.
        let draft = path.with_extension(format!("toml.{}", std::process::id()));
        let written = fs::File::create(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&draft, path));
        written.map_err(|error| failed(&error))
    }

    /// The context of that name, else the current one, else an empty one.
    pub(crate) fn choose(&self, name: Option<&str>) -> Result<Context, Failure> {
        match name.or(self.current.as_deref()) {
            Some(name) => self.get(name).cloned(),
            None => Ok(Context::default()),
        }
    }

    fn get(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| {
            Failure::new(exit::NOT_FOUND, format!("there is no context {name:?}"))
                .hint("see `offpeak context list`")
        })
    }
}

/// Runs a `context` command. `given` are the options of this very command line, not the context's.
pub(crate) fn run(command: &Command, session: &Session, given: Context) -> Result<(), Failure> {
    let path = session.config_path.as_deref().ok_or_else(|| {
        Failure::new(
            exit::FAILURE,
            "no place for contexts: neither HOME nor XDG_CONFIG_HOME is set",
        )
    })?;
    let mut config = Config::load(Some(path))?;
    let out = session.out;
    match command {
        Command::List => return list(&config, session),
        Command::Use { name } => {
            config.get(name)?;
            config.current = Some(name.clone());
            config.save(path)?;
            out.remark(&format!("context/{name} is the current one"));
        }
        Command::Set { name } => {
            if given.endpoint.is_none() && given.tenant.is_none() {
                return Err(Failure::usage("nothing to set: give --endpoint, --tenant or both"));
            }
            let context = config.contexts.entry(name.clone()).or_default();
            context.endpoint = given.endpoint.or(context.endpoint.take());
            context.tenant = given.tenant.or(context.tenant.take());
            // The first context is meant to be used.
            if config.contexts.len() == 1 {
                config.current = Some(name.clone());
            }
            config.save(path)?;
            out.remark(&format!("context/{name} set"));
        }
        Command::Remove { name } => {
            config.get(name)?;
            config.contexts.remove(name);
            if config.current.as_deref() == Some(name) {
                config.current = None;
            }
            config.save(path)?;
            out.remark(&format!("context/{name} removed"));
        }
    }
    Ok(())
}

fn list(config: &Config, session: &Session) -> Result<(), Failure> {
    let out = session.out;
    let chosen = session.context.as_deref().or(config.current.as_deref());
    let listed: Vec<Listed<'_>> = config
        .contexts
        .iter()
        .map(|(name, context)| Listed { name, current: chosen == Some(name), context })
        .collect();
    match out.format {
        Format::Table | Format::Wide => {
            if listed.is_empty() {
                out.remark("no contexts; make one with `offpeak --endpoint URL context set NAME`");
                return Ok(());
            }
            let rows: Vec<Vec<Cell>> = listed
                .iter()
                .map(|item| {
                    vec![
                        if item.current { "*" } else { "" }.into(),
                        item.name.into(),
                        dash(item.context.endpoint.clone().unwrap_or_default()).into(),
                        dash(item.context.tenant.clone().unwrap_or_default()).into(),
                    ]
                })
                .collect();
            let columns = [left(""), left("NAME"), left("ENDPOINT"), left("TENANT")];
            out.print(&table::render(&columns, &rows, out.color))
        }
        Format::Name => {
            let names: Vec<String> =
                listed.iter().map(|item| format!("context/{}\n", item.name)).collect();
            out.print(&names.concat())
        }
        Format::Jsonl => listed.iter().try_for_each(|item| out.object(item)),
        Format::Json | Format::Yaml | Format::Csv => out.object(&listed),
    }
}

fn cannot(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(exit::FAILURE, format!("cannot {what} {}: {error}", path.display()))
}
