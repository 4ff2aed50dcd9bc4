// Command etcd is the storage of a sandbox control plane: etcd's own server, built as it is.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
