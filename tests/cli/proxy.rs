//! What goes through a proxy, and what never does.

use std::sync::{Arc, Mutex};

use ::vigie::demo::Options;
use axum::Router;
use axum::http::{StatusCode, Uri};
use tokio::net::TcpListener;

use crate::demo::Demo;
use crate::page::Page;
use crate::vigie::{run, vigie};

#[tokio::test]
async fn endpoint_on_this_machine_is_reached_without_a_proxy_though_others_are_not_here() {
    let demo = Demo::start(Options::default()).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let proxy = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = proxy.local_addr().expect("it has an address");
    let routes = Router::new().fallback({
        let seen = Arc::clone(&seen);
        async move |uri: Uri| {
            seen.lock().expect("nobody broke down").push(uri.to_string());
            StatusCode::FORBIDDEN
        }
    });
    tokio::spawn(async move { axum::serve(proxy, routes).await });
    let mixed = format!(
        "[[account]]\nname = \"mixed\"\nprovider = \"outscale\"\nregions = [\"eu-west-2\"]\n\
         credentials_file = \"credentials\"\nkinds = [\"instances\", \"load_balancers\"]\n\
         endpoints = {{ ec2 = {:?}, elb = \"http://lbu.example.test\" }}\n",
        demo.cloud.url()
    );
    let settings = demo.settings("", &mixed);

    let mut command = vigie(&["once", "--config"]);
    command
        .arg(settings)
        .env("HTTP_PROXY", format!("http://{address}"));
    let run = run(&mut command).await;

    let page = Page::parse(&run.stdout);
    let polled = |kind| {
        let labels = [("account", "mixed"), ("kind", kind)];
        page.value("vigie_poll_success", &labels)
    };
    assert_eq!(
        (polled("instances"), polled("load_balancers")),
        (Some(1.0), Some(0.0)),
        "{}",
        run.stderr
    );
    assert_eq!(
        *seen.lock().expect("nobody broke down"),
        ["http://lbu.example.test/"]
    );
}

#[tokio::test]
async fn proxy_variable_that_is_no_url_is_told_and_not_passed_over() {
    let demo = Demo::start(Options::default()).await;
    let elsewhere = "[[account]]\nname = \"prod\"\nprovider = \"outscale\"\nregions = [\"eu-west-2\"]\n\
                     credentials_file = \"credentials\"\n";
    let settings = demo.settings("", elsewhere);
    for (variable, value, is_refused) in [
        ("HTTPS_PROXY", "htp://canary:3128", true),
        ("https_proxy", "canary host:3128", true),
        ("ALL_PROXY", "ftp://canary:3128", true),
        ("HTTPS_PROXY", "http://user:canary@proxy.example:3128", false),
        ("HTTP_PROXY", "proxy.example:3128", false),
        ("HTTPS_PROXY", "", false),
    ] {
        let mut command = vigie(&["check", "--config"]);
        command.arg(&settings).env(variable, value);
        let run = run(&mut command).await;
        let expected = if is_refused { 64 } else { 0 };
        assert_eq!(run.code, Some(expected), "{value}: {}", run.stderr);
        assert_eq!(run.stderr.contains(variable), is_refused, "{}", run.stderr);
        assert!(!run.stderr.contains("canary"), "{}", run.stderr);
    }
}
