package engines;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardCopyOption;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.context.ApplicationListener;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.core.env.Environment;

/** One process engine with its REST API, which lives no longer than whoever holds its stdin. */
@EnableAutoConfiguration
@ComponentScan
public class Engine {

  public static void main(String[] arguments) {
    endWithStarter();
    SpringApplication application = new SpringApplication(Engine.class);
    application.addListeners(new PortFileWriter());
    application.run(arguments);
  }

  private static void endWithStarter() {
    Thread watch = new Thread(Engine::haltAtEndOfInput, "end-with-starter");
    watch.setDaemon(true);
    watch.start();
  }

  private static void haltAtEndOfInput() {
    try {
      while (System.in.read() >= 0) {
        continue;
      }
    } catch (IOException ended) {
      // A broken pipe means the same as its end.
    }
    Runtime.getRuntime().halt(1);
  }

  /** Named, not a lambda: Spring finds the kind of event by the class's type argument. */
  static class PortFileWriter implements ApplicationListener<ApplicationReadyEvent> {

    @Override
    public void onApplicationEvent(ApplicationReadyEvent event) {
      Environment environment = event.getApplicationContext().getEnvironment();
      Path target = Paths.get(environment.getRequiredProperty("engines.port-file"));
      Path draft = target.resolveSibling(target.getFileName() + ".draft");
      try {
        Files.write(draft, environment.getRequiredProperty("local.server.port").getBytes());
        // Whoever waits for the file must never read half of it.
        Files.move(draft, target, StandardCopyOption.ATOMIC_MOVE);
      } catch (IOException failure) {
        throw new IllegalStateException(failure);
      }
    }
  }
}
