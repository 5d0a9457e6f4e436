// Command demo shows single sign-on on one machine: it starts a KDC, idp and two
// sites in a temporary folder, plays the story of package story and stays up to
// be looked at in a browser, until Ctrl-C. `make demo` runs it.
//
//	demo --bin bin           the whole demo
//	demo --bin bin --once    ends after the story; the exit status tells whether all held
//	demo story --issuer …    the story only, against an idp that runs elsewhere
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"idp/examples/demo/stage"
	"idp/examples/demo/story"
)

// errNotHeld: the story was told to its end, but not all of it was true.
var errNotHeld = errors.New("not every step held; see FAILED above")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	run := runDemo
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "story" {
		run, args = runStory, args[1:]
	}
	err := run(ctx, args)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to undo
	}
}

func runDemo(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "the `FOLDER` with the programs idp and site")
	once := flags.Bool("once", false, "end after the story")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *bin, err = filepath.Abs(*bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "idp-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Printf("Everything is in %s and is removed at the end.\n", dir)
	s, err := stage.Start(ctx, stage.Config{Dir: dir, Bin: *bin, Out: os.Stdout})
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := tell(ctx, storyOf(s, os.Stdout)); err != nil || *once {
		return errors.Join(err, logsOf(s, err))
	}
	invite(s)
	return stay(ctx, s)
}

// storyOf is the story on this stage.
func storyOf(s *stage.Stage, out io.Writer) story.Config {
	return story.Config{
		Issuer: s.Issuer, Wiki: s.Wiki, Tickets: s.Tickets,
		Realm: s.Realm.Name, Krb5Conf: s.Realm.Krb5Conf,
		AlicePassword: stage.AlicePassword, BobPassword: stage.BobPassword,
		Dir: s.Dir, Curl: s.Resolve(), Out: out,
	}
}

// tell plays the story and counts.
func tell(ctx context.Context, c story.Config) error {
	result, err := story.Play(ctx, c)
	fmt.Fprintf(c.Out, "\n%d checks held, %d failed.\n", result.Held, result.Failed)
	if err == nil && result.Failed > 0 {
		err = errNotHeld
	}
	return err
}

// logsOf shows what idp and the sites said, when the story failed.
func logsOf(s *stage.Stage, failed error) error {
	if failed == nil || errors.Is(failed, context.Canceled) {
		return nil
	}
	var b strings.Builder
	for _, p := range s.Processes {
		fmt.Fprintf(&b, "\nthe log of %s ends with:\n%s\n", p.Name, p.Tail())
	}
	return errors.New(b.String())
}

// stay waits for Ctrl-C, or for a program that ends by itself.
func stay(ctx context.Context, s *stage.Stage) error {
	ended := make(chan *stage.Process)
	for _, p := range s.Processes {
		go func() {
			select {
			case <-p.Done:
				ended <- p
			case <-ctx.Done():
			}
		}()
	}
	select {
	case <-ctx.Done():
		fmt.Println("\nStopping everything.")
		return nil
	case p := <-ended:
		return fmt.Errorf("%s has ended:\n%s", p.Name, p.Tail())
	}
}

// runStory plays the story against an idp that runs already. Passwords come from
// files.
func runStory(ctx context.Context, args []string) (err error) {
	c := story.Config{Out: os.Stdout}
	var alice, bob string
	flags := flag.NewFlagSet("demo story", flag.ContinueOnError)
	flags.StringVar(&c.Issuer, "issuer", "https://idp.example.test", "`URL` of idp")
	flags.StringVar(&c.Wiki, "wiki", "https://wiki.example.test", "`URL` of the first site")
	flags.StringVar(&c.Tickets, "tickets", "https://tickets.example.test", "`URL` of the second site")
	flags.StringVar(&c.Realm, "realm", "EXAMPLE.TEST", "Kerberos `REALM`")
	flags.StringVar(&alice, "alice", "", "`FILE` with the password of alice")
	flags.StringVar(&bob, "bob", "", "`FILE` with the password of bob")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for path, to := range map[string]*string{alice: &c.AlicePassword, bob: &c.BobPassword} {
		text, err := os.ReadFile(path) //nolint:gosec // the caller names the files
		if err != nil {
			return err
		}
		*to = strings.TrimSpace(string(text))
	}
	if c.Dir, err = os.MkdirTemp("", "idp-story-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.Dir)) }()
	return tell(ctx, c)
}
