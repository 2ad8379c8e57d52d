// Streams by Go's net/http, one flushed and one not. Prints `go URL`, and ends with its standard input.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

var (
	mutex sync.Mutex
	log   []string // one log of events for all readers, three a second
)

func at(position int) (string, bool) {
	mutex.Lock()
	defer mutex.Unlock()
	if position >= len(log) {
		return "", false
	}
	return log[position], true
}

func stream(flush bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		mutex.Lock()
		position := len(log)
		mutex.Unlock()
		if id, err := strconv.Atoi(r.Header.Get("Last-Event-ID")); err == nil {
			position = id
		}
		for r.Context().Err() == nil {
			if flush {
				w.(http.Flusher).Flush()
			}
			data, ok := at(position)
			if !ok {
				time.Sleep(20 * time.Millisecond)
				continue
			}
			position++
			fmt.Fprintf(w, "id: %d\ndata: %s %0400d\n\n", position, data, 0)
		}
	}
}

func main() {
	go func() {
		for range time.Tick(330 * time.Millisecond) {
			mutex.Lock()
			log = append(log, time.Now().UTC().Format(time.RFC3339Nano))
			mutex.Unlock()
		}
	}()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	http.HandleFunc("/resumes", stream(true))
	http.HandleFunc("/unflushed", stream(false))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("go http://%s\n", listener.Addr())
	panic(http.Serve(listener, nil))
}
