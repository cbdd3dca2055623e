// Command terraform-provider-keyward is the provider of Keyward for OpenTofu and Terraform. OpenTofu starts it, and
// speaks to it over the plugin protocol, version 6.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/keyward/keyward/terraform/internal/provider"
)

// version is set by the linker.
var version = "dev"

// address names the provider in a registry. OpenTofu and Terraform both map it to their own registry.
const address = "registry.terraform.io/keyward/keyward"

func main() {
	debug := flag.Bool("debug", false, "wait for a debugger, and print how OpenTofu reaches this process")
	flag.Parse()
	opts := providerserver.ServeOpts{Address: address, Debug: *debug, ProtocolVersion: 6}
	if err := providerserver.Serve(context.Background(), provider.New(version), opts); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-keyward:", err)
		os.Exit(1)
	}
}
