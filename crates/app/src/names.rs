//! What things are called when they are shown; a name of its own for what is gone.

use daypass_domain::{
    Name, PrincipalId, ResourceId,
    principal::{Person, Principal},
    resource::Resource,
};

use crate::{App, Result};

/// The name that stands for a row that is gone.
fn gone() -> Name {
    // A constant that is a name: parsing it can't fail.
    "gone".parse().unwrap_or_else(|_| unreachable!("a plain word is a name"))
}

impl App {
    /// What a principal is called; `gone` when there is no such row.
    pub async fn name_of(&self, id: PrincipalId) -> Result<Name> {
        let read = self.store_ref().get::<Principal>(&id.to_string()).await?;
        Ok(read.map_or_else(gone, |p| p.value.name))
    }

    /// What a resource is called; `gone` when it was removed.
    pub async fn resource_name(&self, id: ResourceId) -> Result<Name> {
        let read = self.store_ref().get::<Resource>(&id.to_string()).await?;
        Ok(read.map_or_else(gone, |r| r.value.name))
    }

    /// What the owner of a workload is called, where it is one: named beside it wherever it is shown.
    pub async fn owner_name(&self, id: PrincipalId, person: Person) -> Result<Option<Name>> {
        if person.id() == id { Ok(None) } else { self.name_of(person.id()).await.map(Some) }
    }
}
