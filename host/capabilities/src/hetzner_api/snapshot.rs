//! One look at a whole project, for a rehearsal: reads only.

use futures_util::future::try_join_all;
use runwrit_model::plan::snapshot::{BELONGINGS, CATALOGUE, Snapshot};
use serde_json::Value;

use super::client::{ApiError, Client, Request, member};

impl Client {
    /// Looks at everything in the project, at the catalogue and at the prices. What is not looked
    /// at does not exist in a rehearsal.
    pub async fn snapshot(&self) -> Result<Snapshot, ApiError> {
        let names = CATALOGUE.iter().chain(&BELONGINGS);
        let looks = names.map(|name| self.look_at((*name).to_owned(), name));
        let mut snapshot = Snapshot::default();
        snapshot.collections.extend(try_join_all(looks).await?);
        let ids = snapshot.of("zones").iter().filter_map(|zone| zone["id"].as_u64());
        let looks = ids.map(|id| self.look_at(format!("zones/{id}/rrsets"), "rrsets"));
        snapshot.collections.extend(try_join_all(looks.collect::<Vec<_>>()).await?);
        let answer = self.ask(&Request::get("pricing")).await?;
        snapshot.pricing = member(&answer, "pricing")?;
        Ok(snapshot)
    }

    async fn look_at(&self, path: String, name: &str) -> Result<(String, Vec<Value>), ApiError> {
        let documents = self.pages_at(&path, name, &[]).await?;
        Ok((path, documents))
    }
}
