//! Sizes as people write them: `4096`, `64MiB`, `2G`.

/// Reads a size in bytes; units are powers of 1,024, with or without `iB` or `B`.
pub fn parse(text: &str) -> Result<usize, String> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let short = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b'));
    let power = match short.unwrap_or(&unit) {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return Err("it is no size such as 64MiB or 2GiB".to_owned()),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "it is no size such as 64MiB or 2GiB".to_owned())?;
    number
        .checked_mul(1 << power)
        .filter(|size| *size > 0)
        .ok_or_else(|| "no line can be as long as that".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [
            ("1", 1),
            ("64MiB", 64 << 20),
            ("2 g", 2 << 30),
            ("3kb", 3072),
            ("7B", 7),
        ] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
        for text in [
            "",
            "x",
            "-1",
            "1.5G",
            "64 MiBs",
            "0",
            "99999999999G",
            "18446744073709551616",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
