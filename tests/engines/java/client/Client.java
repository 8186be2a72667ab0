package client;

import org.camunda.bpm.client.ExternalTaskClient;

/**
 * Camunda's own client for Java: handles the tasks of a topic until its input ends, and prints the
 * id of each.
 */
public class Client {

  public static void main(String[] arguments) throws Exception {
    ExternalTaskClient client = ExternalTaskClient.create()
        .baseUrl(arguments[0])
        .workerId("java")
        .maxTasks(2)
        .asyncResponseTimeout(500)
        .build();
    client.subscribe(arguments[1])
        .lockDuration(20_000)
        .handler((task, service) -> {
          System.out.println(task.getId());
          service.complete(task);
        })
        .open();
    System.in.read();
    client.stop();
  }
}
