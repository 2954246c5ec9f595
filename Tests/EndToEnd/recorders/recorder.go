// SPDX-License-Identifier: Apache-2.0
// An endpoint by Go's net/http. It writes down each request that it reads, one JSON object a line, and each answer that
// net/http gives of its own accord, which is what it does with a message that it cannot read.
//
// Use: recorder FILE. It prints its port.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

type recorder struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

type entry struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Host   string `json:"host"`
	Body   string `json:"body"`
	Whole  bool   `json:"whole"`
	Fault  string `json:"fault,omitempty"`
}

func (recorder *recorder) note(entry entry) {
	recorder.mutex.Lock()
	defer recorder.mutex.Unlock()
	if err := recorder.encoder.Encode(entry); err != nil {
		log.Fatal(err)
	}
}

func (recorder *recorder) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	entry := entry{Method: request.Method, Target: request.RequestURI, Host: request.Host, Whole: true}
	// Whoever answers without a look at the body must find the next request behind it all the same.
	if !strings.HasPrefix(request.RequestURI, "/early") {
		body, err := io.ReadAll(request.Body)
		entry.Body, entry.Whole = string(body), err == nil
	}
	recorder.note(entry)
	response.Header().Set("X-Read", request.Method+" "+request.RequestURI)
	io.WriteString(response, "read")
}

type listener struct {
	net.Listener
	recorder *recorder
}

func (listener listener) Accept() (net.Conn, error) {
	connection, err := listener.Listener.Accept()
	return watched{connection, listener.recorder}, err
}

// A connection on which an answer that is no 200 is not the handler's.
type watched struct {
	net.Conn
	recorder *recorder
}

func (watched watched) Write(data []byte) (int, error) {
	if bytes.HasPrefix(data, []byte("HTTP/1.1 4")) || bytes.HasPrefix(data, []byte("HTTP/1.1 5")) {
		watched.recorder.note(entry{Fault: string(data)})
	}
	return watched.Conn.Write(data)
}

func main() {
	file, err := os.OpenFile(os.Args[1], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		log.Fatal(err)
	}
	recorder := &recorder{encoder: json.NewEncoder(file)}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inner.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener{inner, recorder}, recorder))
}
