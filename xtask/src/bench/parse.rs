//! Reading what other programs and the kernel say.

/// The text behind a key in JSON that we know: the first such key, and a value without escapes.
pub fn text<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{key}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(value, _)| value)
}

/// The first identifier of a kind in JSON, such as `grant_...`.
pub fn id<'a>(json: &'a str, kind: &str) -> Option<&'a str> {
    json.split('"').find(|word| word.strip_prefix(kind).is_some_and(|rest| rest.starts_with('_')))
}

/// A point in time in RFC 3339, in UTC, as microseconds since 1970.
pub fn micros(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut clock = clock.split(':').map(str::parse::<i64>);
    let (hours, minutes, seconds) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    let fraction: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let seconds = ((days(year, month, day) * 24 + hours) * 60 + minutes) * 60 + seconds;
    Some(seconds * 1_000_000 + fraction)
}

/// Days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (month * 153 + 2) / 5 + day
        - 719_469
}

/// What `pgbench` says in the end.
#[derive(Debug, PartialEq)]
pub struct Pgbench {
    /// Transactions a second, the making of connections left out where there is one connection for all.
    pub tps: f64,
    /// Transactions altogether.
    pub transactions: f64,
}

pub fn pgbench(said: &str) -> Option<Pgbench> {
    let number = |prefix: &str| {
        let rest = said.lines().find_map(|line| line.strip_prefix(prefix))?;
        rest.split([' ', '/']).next()?.parse().ok()
    };
    Some(Pgbench { tps: number("tps = ")?, transactions: number("number of transactions actually processed: ")? })
}

/// CPU time of a process and its threads so far, in clock ticks: fields 14 and 15 of `/proc/PID/stat` (proc(5)).
pub fn ticks(stat: &str) -> Option<f64> {
    // The second field is the program's name in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Resident memory in KB, of `/proc/PID/status`.
pub fn resident(status: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

/// `name:x:uid:gid:...` in `/etc/passwd`.
pub fn user(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_we_know_is_read() {
        let json = r#"{"request":{"id":"request_7"}, "outcome": {"grant": {"id" : "grant_01ab"}}, "ordered":"now"}"#;
        assert_eq!(text(json, "id"), Some("request_7"));
        assert_eq!(text(json, "ordered"), Some("now"));
        assert_eq!(text(json, "recorded"), None);
        assert_eq!(id(json, "grant"), Some("grant_01ab"));
        assert_eq!(id(json, "session"), None);
    }

    #[test]
    fn points_in_time_are_read() {
        assert_eq!(micros("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(micros("2026-11-24T06:19:06.000125Z"), Some(1_795_501_146_000_125));
        assert_eq!(micros("2000-02-29T23:59:59.5Z"), Some(951_868_799_500_000));
        assert_eq!(micros("2000-02-29"), None);
    }

    #[test]
    fn pgbench_is_read() {
        let said = "transaction type: <builtin: select only>\nnumber of transactions actually processed: 9876\n\
                    tps = 4938.123456 (without initial connection time)\n";
        assert_eq!(pgbench(said), Some(Pgbench { tps: 4938.123456, transactions: 9876.0 }));
        let of = "number of transactions actually processed: 200/200\ntps = 1.5 (including reconnection times)\n";
        assert_eq!(pgbench(of), Some(Pgbench { tps: 1.5, transactions: 200.0 }));
        assert_eq!(pgbench("pgbench: error: connection to server failed\n"), None);
    }

    #[test]
    fn the_kernel_is_read() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 9 0 0 0 700 55 0 0 20 0 3 0 100 0 0";
        assert_eq!(ticks(stat), Some(755.0));
        assert_eq!(ticks("42"), None);
        assert_eq!(resident("Name:\tx\nVmRSS:\t   5120 kB\n"), Some(5120.0));
        assert_eq!(user("postgresx:x:1:2::/:\npostgres:x:101:104::/:\n", "postgres"), Some((101, 104)));
    }
}
