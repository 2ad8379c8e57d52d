import java.io.IOException;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.http.CacheControl;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;
import org.springframework.web.servlet.mvc.method.annotation.StreamingResponseBody;

/**
 * Streams by Spring MVC, as its documentation writes them, each configured well and badly: {@code java -cp 'JARS/*' Server.java}.
 * Prints {@code spring URL}, and ends with its standard input.
 */
@RestController
@EnableAutoConfiguration
class Server {
  /** One log of events for all readers, three a second. */
  private static final CopyOnWriteArrayList<String> LOG = new CopyOnWriteArrayList<>();

  public static void main(String[] args) throws Exception {
    daemon(() -> {
      while (true) {
        Thread.sleep(330);
        LOG.add(Instant.now().toString());
      }
    });
    var application = new SpringApplication(Server.class);
    application.setDefaultProperties(Map.of(
        "server.address", "127.0.0.1",
        "server.port", "0",
        "spring.main.banner-mode", "off",
        "logging.level.root", "off",
        "server.compression.enabled", "true",
        "server.compression.mime-types", "text/event-stream"));
    var context = application.run();
    System.out.println("spring http://127.0.0.1:" + context.getEnvironment().getProperty("local.server.port"));
    while (System.in.read() >= 0);
    System.exit(0);
  }

  @GetMapping("/resumes")
  ResponseEntity<SseEmitter> resumes(@RequestHeader(name = "Last-Event-ID", required = false) Integer lastId) {
    return ResponseEntity.ok().cacheControl(CacheControl.noStore()).body(follow(new SseEmitter(0L), lastId, true));
  }

  /** Ids, and nothing that reads them. */
  @GetMapping("/forgets")
  ResponseEntity<SseEmitter> forgets() {
    return ResponseEntity.ok().cacheControl(CacheControl.noStore()).body(follow(new SseEmitter(0L), null, true));
  }

  /** What a controller is without any of this: no ids, and the headers that Spring sends by itself. */
  @GetMapping("/no-ids")
  SseEmitter noIds() {
    return follow(new SseEmitter(0L), null, false);
  }

  /** The time-out of asynchronous requests, which is 30 s unless it is set. */
  @GetMapping("/times-out")
  ResponseEntity<SseEmitter> timesOut(@RequestHeader(name = "Last-Event-ID", required = false) Integer lastId) {
    return ResponseEntity.ok().cacheControl(CacheControl.noStore()).body(follow(new SseEmitter(3_000L), lastId, true));
  }

  /** A body that is written by hand and never flushed. */
  @GetMapping(path = "/unflushed", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
  ResponseEntity<StreamingResponseBody> unflushed() {
    StreamingResponseBody body = out -> {
      var writer = new OutputStreamWriter(out, StandardCharsets.UTF_8);
      for (int position = LOG.size();; position++) {
        await(position, () -> false);
        writer.write("id: " + (position + 1) + "\ndata: " + LOG.get(position) + " " + "x".repeat(800) + "\n\n");
      }
    };
    return ResponseEntity.ok().cacheControl(CacheControl.noStore()).body(body);
  }

  /** Sends the events after an id, or from now on, until the emitter is complete or its client has left. */
  private static SseEmitter follow(SseEmitter emitter, Integer lastId, boolean ids) {
    boolean[] over = {false};
    emitter.onCompletion(() -> over[0] = true);
    int from = lastId == null ? LOG.size() : lastId;
    daemon(() -> {
      for (int position = from; await(position, () -> over[0]); position++) {
        var event = SseEmitter.event().data(LOG.get(position));
        emitter.send(ids ? event.id(String.valueOf(position + 1)) : event);
      }
    });
    return emitter;
  }

  /** Waits until there is an event at a position. Returns false when it is over before. */
  private static boolean await(int position, BooleanSupplier over) throws IOException {
    while (position >= LOG.size() && !over.getAsBoolean()) {
      try {
        Thread.sleep(20);
      } catch (InterruptedException error) {
        throw new IOException(error);
      }
    }
    return !over.getAsBoolean();
  }

  private interface Work {
    void run() throws Exception;
  }

  private static void daemon(Work work) {
    var thread = new Thread(() -> {
      try {
        work.run();
      } catch (Exception error) {
        // The client has left.
      }
    });
    thread.setDaemon(true);
    thread.start();
  }
}
