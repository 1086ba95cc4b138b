//! Resources: what can be asked for, and who could have it.

use std::path::PathBuf;

use daypass_api::{Mode, resources::Severity};

use super::{Context, changes, output::Rows};
use crate::{
    client::calls,
    failure::{Exit, Failure},
    say,
};

/// Lists resources, or shows one as it was declared.
pub async fn resources(context: &Context, name: Option<String>) -> Result<(), Failure> {
    let api = context.api()?;
    if let Some(name) = name {
        let detail = calls::resource(&api, &name).await?;
        return context.format.show(&detail, |detail| {
            let mut lines = vec![format!(
                "{}: {} in {}",
                detail.resource.name,
                word(&detail.resource.kind),
                detail.resource.region
            )];
            for role in &detail.resource.roles {
                lines.push(format!("  {:16} {}", role.name, say::shown(&role.description)));
            }
            lines.extend(detail.toml.clone().map(|toml| format!("\n{toml}")));
            lines.join("\n")
        });
    }
    let resources = calls::resources(&api).await?;
    context.format.show(&resources, |resources| {
        let empty = "No resources. Declare some with: daypass apply -f FILE";
        let mut rows = Rows::new(&["name", "kind", "environment", "data", "region", "roles"], empty);
        for r in resources {
            let data: Vec<String> = r.classification.iter().map(word).collect();
            let roles: Vec<&str> = r.roles.iter().map(|role| role.name.as_str()).collect();
            let (kind, environment) = (word(&r.kind), word(&r.environment));
            rows.row([&r.name, &kind, &environment, &data.join(", "), &r.region, &roles.join(", ")]);
        }
        rows.text()
    })
}

/// A word out of a fixed set, as it is written everywhere.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}

/// Arguments of `apply`.
#[derive(Debug, Clone, clap::Args)]
pub struct ApplyArgs {
    /// Files of resources, TOML
    #[arg(short = 'f', long = "file", required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// Applies files of resources.
pub async fn apply(context: &Context, args: ApplyArgs) -> Result<(), Failure> {
    let mode = if args.dry_run { Mode::Plan } else { Mode::Apply };
    // Read first: a typing error in the last name shouldn't leave half of them applied.
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(|e| Failure::file(path, &e));
    let texts = args.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut waiting = Ok(());
    for (path, text) in args.files.iter().zip(texts) {
        let proposed = calls::apply_resources(&context.api()?, &path.display().to_string(), text, mode).await?;
        match changes::finish(context, &proposed) {
            Err(pending) if pending.exit == Exit::Pending => waiting = Err(pending),
            finished => finished?,
        }
    }
    waiting
}

/// Says whether the administrator login can do what is needed, and not more.
pub async fn doctor(context: &Context, name: &str) -> Result<(), Failure> {
    let findings = calls::doctor(&context.api()?, name).await?;
    context.format.show(&findings, |findings| {
        let mut lines = Vec::new();
        for finding in findings {
            let mark = match finding.severity {
                Severity::Fine => "ok     ",
                Severity::Warning => "warning",
                Severity::Broken => "BROKEN ",
            };
            lines.push(format!("{mark}  {}", say::shown(&finding.what)));
            lines.extend(
                finding.fix_sql.as_ref().map(|sql| format!("         as the server's owner: {}", say::shown(sql))),
            );
        }
        lines.join("\n")
    })?;
    if findings.iter().any(|f| f.severity == Severity::Broken) {
        return Err(Failure::new(
            Exit::Unavailable,
            "something that Daypass promises won't work there",
            "mend what is marked BROKEN",
        ));
    }
    Ok(())
}

/// Says who could have what, by the same evaluator.
pub async fn who(context: &Context, name: &str) -> Result<(), Failure> {
    let prospects = calls::who(&context.api()?, name).await?;
    context.format.show(&prospects, |prospects| {
        let mut rows = Rows::new(&["who", "role", "answer"], "Nobody is here who could ask.");
        for p in prospects {
            rows.row([&p.name, &p.role, &p.text]);
        }
        rows.text()
    })
}
