// Command conformance runs the certification plans of the OpenID Foundation's
// conformance suite against idp, and prints what each module said. The suite is a
// server of its own; docs/conformance.md tells how to get at one.
//
//	conformance setup --issuer https://sso.example.com --suite https://suite.example.com DIR
//	conformance run   --issuer https://sso.example.com --suite https://suite.example.com DIR
//
// The first writes DIR/idp.yaml with its secrets, for idp to be started with, and
// the second has the suite log in there as a browser would. The exit status is 1
// unless every module passed, or was skipped or left for review by the suite.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
)

// flags are those of both commands: addresses, files, and what to run.
type flags struct {
	issuer, suite, ca               string
	listen, certificate, privateKey string
	plans, modules                  *regexp.Regexp
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("setup or run?")
	}
	everything := regexp.MustCompile("")
	f := flags{plans: everything, modules: everything}
	set := flag.NewFlagSet("conformance "+args[0], flag.ContinueOnError)
	set.StringVar(&f.issuer, "issuer", "", "URL of idp")
	set.StringVar(&f.suite, "suite", "https://localhost.emobix.co.uk:8443", "URL of the suite")
	set.StringVar(&f.listen, "listen", "127.0.0.1:443", "where idp listens (setup)")
	set.StringVar(&f.certificate, "certificate", "tls.crt", "of idp (setup)")
	set.StringVar(&f.privateKey, "key", "tls.key", "of idp (setup)")
	set.StringVar(&f.ca, "ca", "", "PEM file of the authority that the suite's certificate is from (run)")
	set.Func("plans", "regular expression: only these plans (run)", compile(&f.plans))
	set.Func("modules", "regular expression: only these modules (run)", compile(&f.modules))
	if err := set.Parse(args[1:]); err != nil {
		return err
	}
	if set.NArg() != 1 || f.issuer == "" {
		return fmt.Errorf("needs --issuer and a folder")
	}
	at := folder{flags: f, dir: set.Arg(0)}
	switch args[0] {
	case "setup":
		return at.setup()
	case "run":
		return at.runPlans()
	}
	return fmt.Errorf("%q is neither setup nor run", args[0])
}

func compile(into **regexp.Regexp) func(string) error {
	return func(text string) (err error) {
		*into, err = regexp.Compile(text)
		return err
	}
}
