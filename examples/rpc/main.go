// Command rpc shows services that trust no front end: a front end (reports) and two back
// ends (ledger, archive) over HTTP and JSON, each of which wants a proof that was made
// for it. It starts them with a KDC and an idp of their own, in a temporary folder,
// plays an honest call, a stolen token and a front end that lies, and stays up until
// Ctrl-C; with --once it ends after the story, and its exit status tells whether all held.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"idp/examples/demo/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bin := flag.String("bin", "", "the `FOLDER` with the programs idp and site; none: they are compiled")
	once := flag.Bool("once", false, "end after the story")
	flag.Parse()
	if err := run(ctx, *bin, *once); err != nil {
		fmt.Fprintln(os.Stderr, "rpc:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to undo
	}
}

func run(ctx context.Context, bin string, once bool) (err error) {
	dir, err := os.MkdirTemp("", "idp-rpc-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if bin == "" {
		bin = filepath.Join(dir, "bin")
		if err := errors.Join(os.Mkdir(bin, 0o700), stage.Build(ctx, bin)); err != nil {
			return err
		}
	}
	w, err := newWorld(ctx, dir, bin)
	if err != nil {
		return err
	}
	defer w.stop()
	fmt.Printf("reports  %s\nledger   %s\narchive  %s\n", w.reports, w.ledger, w.archive)
	t, err := w.tell(ctx)
	fmt.Printf("\n%d checks held, %d failed.\n", t.held, t.failed)
	if err == nil && t.failed > 0 {
		err = errors.New("not every step held; see FAILED above")
	}
	if err != nil || once {
		return err
	}
	fmt.Println("All of it stays up until Ctrl-C.")
	<-ctx.Done()
	return nil
}
