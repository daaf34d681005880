//! A cloud that only copies bytes: every answer is made before the first question, so that what is measured is the
//! poller.
//!
//! It answers `DescribeInstances` (AWS' documented example as the shape of an instance), classic
//! `DescribeLoadBalancers`, `DescribeInstanceHealth` and, for Prometheus, `DescribeAvailabilityZones`. It takes any
//! signature.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What there is to list, as the flags say it.
struct Size {
    instances: usize,
    instances_a_page: usize,
    balancers: usize,
    backends: usize,
}

/// Every answer, whole.
struct Answers {
    instances: Vec<Vec<u8>>,
    balancers: Vec<Vec<u8>>,
    health: Vec<u8>,
    zones: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut size = Size {
        instances: 10_000,
        instances_a_page: 1_000,
        balancers: 0,
        backends: 20,
    };
    let mut flags = std::env::args().skip(1);
    while let Some(flag) = flags.next() {
        let value = flags.next().ok_or("each flag has a value")?.parse()?;
        match flag.as_str() {
            "--instances" => size.instances = value,
            "--page" => size.instances_a_page = value,
            "--load-balancers" => size.balancers = value,
            "--backends" => size.backends = value,
            other => return Err(format!("no flag {other}").into()),
        }
    }
    let answers = Arc::new(Answers::new(&size)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let bytes: usize = answers.instances.iter().map(Vec::len).sum();
    println!("http://{}", listener.local_addr()?);
    println!("{} pages of instances, {bytes} bytes", answers.instances.len());
    io::stdout().flush()?;
    let served = Arc::new(AtomicU64::new(0));
    for connection in listener.incoming() {
        let (answers, served) = (Arc::clone(&answers), Arc::clone(&served));
        let connection = connection?;
        std::thread::spawn(move || {
            // A client that goes away ends its own connection alone.
            let _ = answer_all(&connection, &answers, &served);
        });
    }
    Ok(())
}

impl Answers {
    fn new(size: &Size) -> Result<Self, std::fmt::Error> {
        Ok(Self {
            instances: instances(size)?,
            balancers: balancers(size)?,
            health: health(size)?,
            zones: ZONES.into(),
        })
    }

    /// The answer to a form.
    fn to(&self, form: &str) -> Option<&[u8]> {
        let page = || {
            let cursor = field(form, "NextToken").or_else(|| field(form, "Marker"));
            cursor.map_or(Some(0), |cursor| cursor.strip_prefix("page-")?.parse().ok())
        };
        match field(form, "Action")? {
            "DescribeInstances" => self.instances.get(page()?),
            "DescribeLoadBalancers" => self.balancers.get(page()?),
            "DescribeInstanceHealth" => Some(&self.health),
            "DescribeAvailabilityZones" => Some(&self.zones),
            _ => None,
        }
        .map(Vec::as_slice)
    }
}

fn instances(size: &Size) -> Result<Vec<Vec<u8>>, std::fmt::Error> {
    let pages = size.instances.div_ceil(size.instances_a_page).max(1);
    (0..pages)
        .map(|page| {
            let first = page * size.instances_a_page;
            let last = (first + size.instances_a_page).min(size.instances);
            let mut xml = String::from(INSTANCES_BEGIN);
            for serial in first..last {
                let (high, middle, low) = (serial >> 16 & 0xff, serial >> 8 & 0xff, serial & 0xff);
                let item = INSTANCE
                    .replace("{id}", &format!("{serial:017x}"))
                    .replace("{serial}", &serial.to_string())
                    .replace("{dashed}", &format!("10-{high}-{middle}-{low}"))
                    .replace("{ip}", &format!("10.{high}.{middle}.{low}"))
                    // From the addresses for documentation: there are too few of them to differ.
                    .replace("{public}", &format!("203.0.113.{low}"));
                xml.push_str(&item);
            }
            xml.push_str("  </reservationSet>\n");
            if page + 1 < pages {
                writeln!(xml, "  <nextToken>page-{}</nextToken>", page + 1)?;
            }
            xml.push_str("</DescribeInstancesResponse>\n");
            Ok(xml.into_bytes())
        })
        .collect()
}

fn balancers(size: &Size) -> Result<Vec<Vec<u8>>, std::fmt::Error> {
    // The most that the API gives at once.
    let on_a_page = 400;
    let pages = size.balancers.div_ceil(on_a_page).max(1);
    (0..pages)
        .map(|page| {
            let last = ((page + 1) * on_a_page).min(size.balancers);
            let mut xml = String::from(
                "<DescribeLoadBalancersResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/\">\
                 <DescribeLoadBalancersResult><LoadBalancerDescriptions>",
            );
            for serial in page * on_a_page..last {
                write!(
                    xml,
                    "<member><LoadBalancerName>balancer-{serial}</LoadBalancerName>\
                     <DNSName>balancer-{serial}.eu-west-1.elb.amazonaws.com</DNSName>\
                     <Scheme>internet-facing</Scheme><CreatedTime>2024-05-24T21:15:31.280Z</CreatedTime><Instances>"
                )?;
                for backend in 0..size.backends {
                    write!(xml, "<member><InstanceId>i-{backend:017x}</InstanceId></member>")?;
                }
                xml.push_str(
                    "</Instances><ListenerDescriptions><member><Listener><Protocol>HTTP</Protocol>\
                     <LoadBalancerPort>80</LoadBalancerPort><InstanceProtocol>HTTP</InstanceProtocol>\
                     <InstancePort>8080</InstancePort></Listener><PolicyNames/></member></ListenerDescriptions>\
                     <HealthCheck><Target>HTTP:8080/health</Target><Interval>30</Interval><Timeout>5</Timeout>\
                     <UnhealthyThreshold>2</UnhealthyThreshold><HealthyThreshold>3</HealthyThreshold></HealthCheck>\
                     <AvailabilityZones><member>eu-west-1a</member></AvailabilityZones></member>",
                );
            }
            xml.push_str("</LoadBalancerDescriptions>");
            if page + 1 < pages {
                write!(xml, "<NextMarker>page-{}</NextMarker>", page + 1)?;
            }
            xml.push_str("</DescribeLoadBalancersResult></DescribeLoadBalancersResponse>");
            Ok(xml.into_bytes())
        })
        .collect()
}

/// All load balancers have the same backends: one answer does for all.
fn health(size: &Size) -> Result<Vec<u8>, std::fmt::Error> {
    let mut xml = String::from(
        "<DescribeInstanceHealthResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/\">\
         <DescribeInstanceHealthResult><InstanceStates>",
    );
    for backend in 0..size.backends {
        let (state, code) = if backend % 10 == 9 {
            ("OutOfService", "Instance")
        } else {
            ("InService", "N/A")
        };
        write!(
            xml,
            "<member><Description>N/A</Description><InstanceId>i-{backend:017x}</InstanceId>\
             <ReasonCode>{code}</ReasonCode><State>{state}</State></member>"
        )?;
    }
    xml.push_str("</InstanceStates></DescribeInstanceHealthResult></DescribeInstanceHealthResponse>");
    Ok(xml.into_bytes())
}

/// Answers every request of a connection, until the client ends it.
fn answer_all(connection: &TcpStream, answers: &Answers, served: &AtomicU64) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut requests = BufReader::new(connection);
    let mut writer = connection;
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut form = vec![0; length];
        requests.read_exact(&mut form)?;
        let form = String::from_utf8(form).map_err(io::Error::other)?;
        let (status, body) = match answers.to(&form) {
            // What a poll cost is asked for after it: how many calls were answered.
            _ if form.is_empty() => ("200 OK", served.load(Ordering::Relaxed).to_string().into_bytes().into()),
            Some(body) => {
                served.fetch_add(1, Ordering::Relaxed);
                ("200 OK", std::borrow::Cow::Borrowed(body))
            }
            None => ("400 Bad Request", REFUSAL.as_bytes().into()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/xml;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(head.as_bytes())?;
        writer.write_all(&body)?;
    }
}

/// A field of a form. The ones that are looked for have nothing in them that would be escaped.
fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form.split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

const INSTANCE: &str = include_str!("../instance.xml");

const INSTANCES_BEGIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
  <reservationSet>
"#;

const ZONES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeAvailabilityZonesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
  <availabilityZoneInfo><item><zoneName>eu-west-1a</zoneName><zoneId>euw1-az1</zoneId>
  <zoneState>available</zoneState><regionName>eu-west-1</regionName></item></availabilityZoneInfo>
</DescribeAvailabilityZonesResponse>
"#;

const REFUSAL: &str = "<Response><Errors><Error><Code>InvalidAction</Code><Message>only listings are known here</Message>\
</Error></Errors><RequestID>8f7724cf-496f-496e-8fe3-example</RequestID></Response>";
