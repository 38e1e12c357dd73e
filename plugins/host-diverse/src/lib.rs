use pointsman_policy_sdk::prelude::*;
pub struct HostDiverse;
impl SourceSelection for HostDiverse {
    fn describe() -> Description { Description::new("host-diverse", env!("CARGO_PKG_VERSION")).number("x", 1.0, 0.0..=2.0, "hm") }
    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let x = context.settings().number("x")?;
        if x == 2.0 { log!("two"); }
        if x == 1.5 { panic!("two"); }
        Ok(SelectionDecision::pick(vec![0]).reason(Reason::new("a").value(x).text(format!("{:?}", context.candidate(0).and_then(|c| c.host())))))
    }
}
export_source_selection!(HostDiverse);
