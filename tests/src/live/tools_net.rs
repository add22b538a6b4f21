//! The bundled scripts that watch the network.

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::load_tools_b::{CLOSED, PORT};
use super::run::{Ran, check, of_type, same, with_load};
use super::tools_sys::{has_kprobes, lacks_kprobes, records};

const HOST: &str = "127.0.0.1";

/// The records of a script that have a value.
fn of_field(ran: &Ran, kind: &str, field: &str, value: impl Into<Value>) -> Result<Vec<Value>, Failed> {
    let value = value.into();
    Ok(records(ran, kind)?.into_iter().filter(|record| record[field] == value).collect())
}

/// Picks some fields of a record.
fn fields<'a>(record: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| &record[*name]).collect()
}

pub fn tcplife_knows_both_ends() -> Result<(), Failed> {
    let ran = with_load(&["-f", "json", "tcplife"], &["tcp"]);
    let near = of_field(&ran, "life", "rport", PORT)?;
    let far = of_field(&ran, "life", "lport", PORT)?;
    check(near.len() == 1 && far.len() == 1, || ran.stdout.clone())?;
    // Neither SYN nor FIN is counted as a byte.
    let names = ["comm", "laddr", "raddr", "tx", "rx", "err"];
    same(
        fields(&near[0], &names),
        vec![&json!("live"), &json!(HOST), &json!(HOST), &json!(100), &json!(7), &json!(0)],
    )?;
    same(fields(&far[0], &names), vec![&json!("live"), &json!(HOST), &json!(HOST), &json!(7), &json!(100), &json!(0)])?;
    same((&near[0]["pid"], &near[0]["lport"]), (&far[0]["pid"], &far[0]["rport"]))?;
    let ran = with_load(&["tcplife"], &["tcp"]);
    let titles = "PID COMM LADDR LPORT RADDR RPORT TX RX MS ERR";
    same(
        ran.stdout.lines().next().map(|line| line.split_whitespace().collect()),
        Some(titles.split(' ').collect::<Vec<_>>()),
    )?;
    let ran = with_load(&["-f", "json", "tcplife"], &["refused"]);
    let refused = of_field(&ran, "life", "rport", CLOSED)?;
    check(refused.len() == 1 && refused[0]["err"] == libc::ECONNREFUSED, || ran.stdout.clone())
}

pub fn tcpconnect_shows_attempts() -> Result<(), Failed> {
    for (load, port) in [("tcp", PORT), ("refused", CLOSED)] {
        let ran = with_load(&["--follow", "-f", "json", "tcpconnect"], &[load]);
        let begun = records(&ran, "connect")?;
        let want = [json!("live"), json!(HOST), json!(HOST), json!(port)];
        let have = begun.iter().map(|record| fields(record, &["comm", "saddr", "daddr", "dport"]));
        same(have.collect::<Vec<_>>(), vec![want.iter().collect::<Vec<_>>()])?;
    }
    let ran = with_load(&["--follow", "-f", "json", "tcpconnect", "--port=9"], &["tcp"]);
    same(records(&ran, "connect")?.len(), 0)
}

pub fn tcpaccept_shows_the_queue() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "tcpaccept"], &["tcp"]);
    let taken = records(&ran, "accept")?;
    check(taken.len() == 1, || ran.stdout.clone())?;
    let want = [json!("live"), json!(HOST), json!(HOST), json!(PORT), json!(0)];
    same(fields(&taken[0], &["comm", "raddr", "laddr", "lport", "waiting"]), want.iter().collect::<Vec<_>>())?;
    check(taken[0]["rport"].as_u64() > Some(1023) && taken[0]["most"].as_u64() > Some(0), || ran.stdout.clone())
}

pub fn tcpretrans_sees_what_is_sent_again() -> Result<(), Failed> {
    let ran = with_load(&["-f", "json", "tcpretrans"], &["overflow"]);
    let again = of_field(&ran, "retransmit", "rport", PORT)?;
    // After a second; the load waits half a second longer.
    check(again.len() == 1, || ran.stdout.clone())?;
    same(fields(&again[0], &["laddr", "raddr", "state"]), vec![&json!(HOST), &json!(HOST), &json!("SYN_SENT")])?;
    let ran = with_load(&["tcpretrans", "--count"], &["overflow"]);
    ran.succeeded()?;
    let line = ran.stdout.lines().find(|line| line.ends_with(&format!(", {HOST}, {PORT}]: 1")));
    check(line.is_some_and(|line| line.starts_with("@retransmits[127.0.0.1, ")), || ran.stdout.clone())
}

pub fn tcpdrop_has_reasons() -> Result<(), Failed> {
    let ran = with_load(&["-f", "json", "tcpdrop"], &["refused"]);
    let dropped = of_field(&ran, "drop", "dport", CLOSED)?;
    check(dropped.len() == 1, || ran.stdout.clone())?;
    let names = ["saddr", "daddr", "flags", "state", "reason", "function"];
    let want = [HOST, HOST, "SYN", "-", "NO_SOCKET", "tcp_v4_rcv"].map(Value::from);
    same(fields(&dropped[0], &names), want.iter().collect::<Vec<_>>())
}

pub fn undump_shows_what_is_taken() -> Result<(), Failed> {
    let ran = with_load(&["--follow", "-f", "json", "undump"], &["unix"]);
    let taken = records(&ran, "undump")?;
    let taken = taken.iter().map(|record| fields(record, &["comm", "size", "data"])).collect::<Vec<_>>();
    let (comm, first, second) = (json!("live"), json!("hello\\x01"), json!(" socket"));
    same(taken, vec![vec![&comm, &json!(6), &first], vec![&comm, &json!(7), &second]])
}

pub fn tcpsynbl_counts_by_queue() -> Result<(), Failed> {
    if !has_kprobes() {
        return lacks_kprobes("tcpsynbl");
    }
    let ran = with_load(&["-f", "json", "tcpsynbl"], &["tcp"]);
    ran.succeeded()?;
    let all = ran.json()?;
    let queues = of_type(&all, "hist").filter_map(|hist| hist["@waiting"].as_object()).flatten();
    let counts = queues.flat_map(|(_, buckets)| buckets.as_array().into_iter().flatten());
    let counted = counts.filter_map(|bucket| bucket["count"].as_u64()).sum::<u64>();
    check(counted >= 1, || ran.stdout.clone())
}
