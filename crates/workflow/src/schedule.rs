//! When a workflow starts by itself.

use consort_model::Value;
use consort_model::time::Span;

use crate::event::EventFilter;

/// What `schedule` says.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Each interval, even if the run before is not over.
    Every(Span),
    /// Five fields, UTC.
    Cron(String),
    /// So long after the end of the run before.
    After(Span),
    /// When an event comes that one of these filters means.
    On(Vec<EventFilter>),
}

impl Schedule {
    /// Reads the `schedule` of a document.
    ///
    /// # Errors
    /// A sentence that says what is wrong or not there yet.
    pub fn read(schedule: &Value) -> Result<Self, String> {
        if let Some(every) = schedule.get("every") {
            return crate::duration::read(every).map(Self::Every);
        }
        if let Some(after) = schedule.get("after") {
            return crate::duration::read(after).map(Self::After);
        }
        if let Some(cron) = schedule.get("cron") {
            let text = cron.as_str().ok_or("`cron` must be text of five fields")?;
            return if text.split_whitespace().count() == 5 {
                Ok(Self::Cron(text.to_owned()))
            } else {
                Err(format!(
                    "`{text}` has not five fields: minute, hour, day of month, month, day of week"
                ))
            };
        }
        let on = schedule
            .get("on")
            .ok_or("`schedule` needs one of every, cron, after, on")?;
        let filter = |one: &Value| {
            let with = one.get("with").cloned().ok_or("a filter needs `with`")?;
            let correlate = one
                .get("correlate")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            Ok::<_, String>(EventFilter::new(with, correlate))
        };
        if let Some(one) = on.get("one") {
            return Ok(Self::On(vec![filter(one)?]));
        }
        if let Some(any) = on.get("any").and_then(Value::as_array) {
            let filters: Result<Vec<_>, _> = any.iter().map(filter).collect();
            // No filter at all means every event.
            let filters = filters?;
            return Ok(Self::On(if filters.is_empty() {
                vec![EventFilter(serde_json::json!({}))]
            } else {
                filters
            }));
        }
        Err("`schedule.on` with `all` is not there yet; use `one` or `any`".into())
    }
}
