// Runs VerifyWebhook of the guide over the cases on standard input (README.md).
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"example/webhooks"
)

func read(field string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		panic(err)
	}
	return bytes
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), " ")
		header := http.Header{}
		for i, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			if fields[i+1] != "-" {
				header.Set(name, string(read(fields[i+1])))
			}
		}
		now, err := strconv.ParseInt(string(read(fields[5])), 10, 64)
		if err != nil {
			panic(err)
		}
		keys := strings.Split(string(read(fields[0])), ",")
		fmt.Println(webhooks.VerifyWebhook(keys, header, read(fields[4]), time.Unix(now, 0)))
	}
}
