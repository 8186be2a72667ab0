// Handles tasks by the official JavaScript client, and prints how long it took, in seconds.
import { Client } from "camunda-external-task-client-js";

const [url, topic, tasks, slots] = process.argv.slice(2);
const client = new Client({
  baseUrl: url,
  workerId: "javascript",
  maxTasks: Number(slots),
  maxParallelExecutions: Number(slots),
  asyncResponseTimeout: 5000,
  lockDuration: 30000,
  interval: 1, // in milliseconds; with the default of 300 it would wait most of the time
  autoPoll: false,
});
let left = Number(tasks);
const begun = performance.now();
client.subscribe(topic, async ({ task, taskService }) => {
  await taskService.complete(task);
  left -= 1;
  if (left === 0) {
    console.log((performance.now() - begun) / 1000);
    process.exit(0);
  }
});
client.start();
