package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set when a release is built: -ldflags "-X main.release=v1.2.3".
var release = "development"

func version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), versionText())
		},
	}
}

// fullVersion is the release and, where Go knows it, the revision it was built from.
func fullVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return release + " " + s.Value
			}
		}
	}
	return release
}

// versionText is the line that `idp version` prints.
func versionText() string {
	return fmt.Sprintf("idp %s %s %s/%s", fullVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
