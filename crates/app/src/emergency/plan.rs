//! Making a kit, and sealing it anew: a change, since it gives (I12). The credential exists in this function alone.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use daypass_domain::{
    KitId, Name,
    kit::{Alarm, AtTarget, Holder, Kit, KitEvent, Sealed, Traces},
    principal::Actor,
    resource::{PgRole, Resource},
};
use daypass_ports::record::Read;
use daypass_seal::{AgeRandom, Recipient, age_seal, split};
use daypass_wire::scram::{DEFAULT_ITERATIONS, ScramVerifier};
use zeroize::Zeroizing;

use super::{KitFile, KitHolder, SealedKit, ids_of, page};
use crate::{
    App, Problem, Result,
    changes::{Base, Hand, Handed, Kept, Prepared, Proposal, Proposed},
};

/// Two holders, found.
struct Two {
    names: [Name; 2],
    recipients: [Recipient; 2],
    holders: [Holder; 2],
}

impl App {
    /// Seals a kit anew, to the same two people unless others are named.
    ///
    /// # Errors
    /// As [`App::propose`], and when there is no such kit.
    pub async fn rotate_kit(&self, actor: &Actor, kit: KitId, to: Option<[KitHolder; 2]>) -> Result<Proposed> {
        let holders = match to {
            Some(holders) => holders,
            None => {
                self.may_administer(actor, crate::changes::EMERGENCY).await?;
                let [one, other] = self.kit(kit).await?.value.sealed.holders;
                [self.same_holder(one).await?, self.same_holder(other).await?]
            }
        };
        self.propose(actor, Proposal::RotateKit { kit, holders }).await
    }

    async fn same_holder(&self, holder: Holder) -> Result<KitHolder> {
        Ok(KitHolder { user: self.principal(holder.principal).await?.value.name, recipient: holder.recipient })
    }

    /// Plans a kit: a login of its own at the target, never the administrator's. That one is Daypass' own: it could be
    /// neither told apart from us, nor replaced without cutting us off, and it can do far more than an emergency needs.
    pub(crate) async fn plan_make_kit(
        &self,
        resource: &Name,
        roles: &BTreeSet<Name>,
        holders: &[KitHolder; 2],
        hand: Hand<'_>,
    ) -> Result<Prepared> {
        let read = self.resource_named(resource.as_str()).await?;
        let two = self.two_holders(holders).await?;
        let roles = chosen(&read.value, roles)?;
        let now = self.now();
        let mut prepared = Prepared::default();
        let kept = match hand {
            Hand::Second(Kept::Kit { kit, verifier }) => Some((*kit, verifier.clone())),
            Hand::Second(Kept::Nothing | Kept::InvitationHalf { .. } | Kept::Token { .. } | Kept::Bearer { .. })
            | Hand::Alone
            | Hand::First => None,
        };
        let id = kept.as_ref().map_or_else(|| KitId::new(now, self.id_bytes()), |(kit, _)| *kit);
        let sealed = Sealed { at: now, member_of: given(&read.value, &roles), holders: two.holders.clone(), roles };
        let mut kit = Kit {
            id,
            resource: read.value.id,
            region: read.value.region.clone(),
            target: read.value.target.clone(),
            login: Kit::login_name(self.settings().await?.value.installation, id),
            sealed,
            made: now,
            at_target: AtTarget::Making { verifier: String::new(), before: BTreeSet::new() },
            alarm: Alarm::Quiet,
            last_used: None,
            traces: Traces::default(),
        };
        prepared.words = words(&read.value, &kit, &two);
        prepared.words.insert(0, format!("make an emergency kit for `{resource}`: a login of its own at {}", at(&kit)));
        prepared.commit.expect(&read);
        prepared.base = Base::Resources { versions: [(resource.clone(), Some(read.version))].into() };
        let verifier = match kept {
            Some((_, verifier)) => verifier,
            None => self.seal(&read.value, &kit, &two, &mut prepared)?,
        };
        kit.at_target = AtTarget::Making { verifier, before: BTreeSet::new() };
        prepared.commit.put(&kit);
        prepared.ids = ids_of(&kit);
        Ok(prepared)
    }

    /// Plans another credential for a kit. Whatever the roles are declared to give by now, the login is given then.
    pub(crate) async fn plan_rotate_kit(
        &self,
        kit: KitId,
        holders: &[KitHolder; 2],
        hand: Hand<'_>,
    ) -> Result<Prepared> {
        let before = self.kit(kit).await?;
        let Some(resource) = self.store_ref().get::<Resource>(&before.value.resource.to_string()).await? else {
            return Err(Problem::not_found("resource", before.value.resource));
        };
        if resource.value.target != before.value.target {
            return Err(Problem::conflict(
                "kit_elsewhere",
                format!(
                    "`{}` is declared at another place, or otherwise, than when the kit was made",
                    resource.value.name
                ),
                format!("make another kit for it, and take this one away with `daypass emergency-kit remove {kit}`"),
            ));
        }
        let two = self.two_holders(holders).await?;
        let roles: BTreeSet<Name> =
            before.value.sealed.roles.iter().filter(|role| resource.value.roles.contains_key(role)).cloned().collect();
        // None is left isn't none was named: that would be all of them. // I12
        if roles.is_empty() {
            return Err(Problem::conflict(
                "no_roles",
                format!("`{}` declares none of the roles that the kit gives any more", resource.value.name),
                format!("make another kit for it, and take this one away with `daypass emergency-kit remove {kit}`"),
            ));
        }
        let mut prepared = Prepared {
            base: Base::Kit { resource: resource.version, sealed: before.value.sealed.at },
            ..Prepared::default()
        };
        let sealed =
            Sealed { at: self.now(), member_of: given(&resource.value, &roles), holders: two.holders.clone(), roles };
        let planned = before
            .value
            .clone()
            .apply(KitEvent::Reseal { sealed: sealed.clone(), verifier: String::new() }, self.now())?;
        let verifier = match hand {
            Hand::Second(Kept::Kit { verifier, .. }) => verifier.clone(),
            Hand::Second(Kept::Nothing | Kept::InvitationHalf { .. } | Kept::Token { .. } | Kept::Bearer { .. })
            | Hand::Alone
            | Hand::First => self.seal(&resource.value, &planned, &two, &mut prepared)?,
        };
        prepared.words = words(&resource.value, &planned, &two);
        prepared.words.insert(
            0,
            format!(
                "seal {kit} of `{}` anew: what was sealed before opens nothing, and its sessions end",
                resource.value.name
            ),
        );
        let next = before.value.clone().apply(KitEvent::Reseal { sealed, verifier }, self.now())?;
        prepared.commit.expect(&resource);
        prepared.commit.replace(&before, &next);
        prepared.ids = ids_of(&next);
        Ok(prepared)
    }

    /// Makes a credential, gives the two sealed halves to `prepared`, and its verifier to the caller. Nothing else of it
    /// leaves this function. // I6
    fn seal(&self, resource: &Resource, kit: &Kit, two: &Two, prepared: &mut Prepared) -> Result<String> {
        let failed = |what: &str| Problem::unavailable(format!("the kit can't be sealed: {what}"));
        let secret = Zeroizing::new(self.random::<32>());
        // As people's shells join it: the credential is 64 hexadecimal digits, and so is each half.
        let password = Zeroizing::new(HEXLOWER.encode(&*secret));
        let verifier = ScramVerifier::from_password(password.as_bytes(), self.random(), DEFAULT_ITERATIONS)
            .map_err(|e| failed(&e.to_string()))?;
        let halves = split(*secret, self.random());
        let mut armors = Vec::with_capacity(2);
        for (half, recipient) in halves.iter().zip(&two.recipients) {
            let random = AgeRandom { ephemeral: self.random(), file_key: self.random(), nonce: self.random() };
            let line = Zeroizing::new(format!("{}\n", *half.text()));
            armors.push(age_seal(recipient, &random, line.as_bytes()).map_err(|e| failed(&e.to_string()))?);
        }
        let files = std::array::from_fn(|which| {
            let sealed = armors.get(which).cloned().unwrap_or_default();
            let page = page::page(resource, kit, &two.names, which, &sealed);
            KitFile { holder: two.names[which].clone(), sealed, page }
        });
        let verifier = verifier.to_postgres().to_string();
        prepared.kept = Kept::Kit { kit: kit.id, verifier: verifier.clone() };
        prepared.handed = Handed::Kit(Box::new(SealedKit { kit: kit.id, resource: resource.name.clone(), files }));
        Ok(verifier)
    }

    /// Two different people with two different keys, both of whom may act.
    async fn two_holders(&self, holders: &[KitHolder; 2]) -> Result<Two> {
        let [one, other] = holders;
        let (first, second) = (self.holder(one).await?, self.holder(other).await?);
        if first.1.principal == second.1.principal {
            return Err(Problem::invalid(
                "one_holder",
                format!("both halves would be `{}`'s, who could open it alone", one.user),
                "name two different people",
            ));
        }
        if first.0 == second.0 {
            return Err(Problem::invalid(
                "one_key",
                format!(
                    "`{}` and `{}` are named with the same key, whose owner could open it alone",
                    one.user, other.user
                ),
                "have each of them make a key of their own with `age-keygen`",
            ));
        }
        Ok(Two {
            names: [one.user.clone(), other.user.clone()],
            recipients: [first.0, second.0],
            holders: [first.1, second.1],
        })
    }

    async fn holder(&self, holder: &KitHolder) -> Result<(Recipient, Holder)> {
        let user = self.user_named(&holder.user).await?.value;
        if !user.is_active() {
            return Err(Problem::conflict(
                "holder_disabled",
                format!("`{}` is disabled, and would hold half of a credential", user.name),
                "name somebody who may act",
            ));
        }
        let recipient: Recipient = holder.recipient.parse().map_err(|why: daypass_seal::BadRecipient| {
            Problem::invalid(
                "bad_recipient",
                format!("the key of `{}`: {why}", user.name),
                "ask its owner for it again",
            )
        })?;
        Ok((recipient, Holder { principal: user.id, recipient: recipient.to_string() }))
    }
}

/// The roles that are meant: those that are named, or all.
fn chosen(resource: &Resource, named: &BTreeSet<Name>) -> Result<BTreeSet<Name>> {
    if let Some(unknown) = named.iter().find(|role| !resource.roles.contains_key(role)) {
        return Err(Problem::not_found("role", format!("{}/{unknown}", resource.name)));
    }
    let all = || resource.roles.keys().cloned().collect::<BTreeSet<_>>();
    let roles = if named.is_empty() { all() } else { named.clone() };
    if roles.is_empty() {
        return Err(Problem::conflict(
            "no_roles",
            format!("`{}` declares no role, so a kit would give nothing", resource.name),
            "declare a role first, with `daypass apply`",
        ));
    }
    Ok(roles)
}

/// What roles are declared to give at the target.
pub(super) fn given(resource: &Resource, roles: &BTreeSet<Name>) -> BTreeSet<PgRole> {
    roles.iter().filter_map(|role| resource.roles.get(role)).flat_map(|role| role.member_of.iter().cloned()).collect()
}

fn at(kit: &Kit) -> String {
    let daypass_domain::resource::Target::Postgres(target) = &kit.target;
    target.address.to_string()
}

fn words(resource: &Resource, kit: &Kit, two: &Two) -> Vec<String> {
    let list = |items: Vec<String>| items.join(", ");
    let roles = list(kit.sealed.roles.iter().map(ToString::to_string).collect());
    let given = list(kit.sealed.member_of.iter().map(|role| format!("`{role}`")).collect());
    let [one, other] = &two.names;
    let [key, other_key] = &two.recipients;
    vec![
        format!("it gives the roles {roles} of `{}`: a member of {given}", resource.name),
        format!("seal one half of its credential to `{one}`, for the key {key}"),
        format!("seal the other half to `{other}`, for the key {other_key}"),
        format!(
            "mind that `{one}` and `{other}` together log in past Daypass, and whoever has both keys does so alone: let \
             each of them read their key to you"
        ),
    ]
}

/// A kit that is read, for those who plan more of it.
impl App {
    /// Adds the removal of a resource's kits to a change that removes it.
    pub(crate) async fn plan_kits_gone(&self, resource: &Read<Resource>, prepared: &mut Prepared) -> Result<()> {
        let id = resource.value.id.to_string();
        for kit in self.store_ref().find::<Kit>(daypass_ports::rows::key::RESOURCE, &id).await? {
            if kit.value.stands() {
                prepared.words.push(format!("take its emergency kit {} away, and the login with it", kit.value.id));
                self.removal(&kit, None, Vec::new(), &mut prepared.commit)?;
            }
        }
        Ok(())
    }
}
