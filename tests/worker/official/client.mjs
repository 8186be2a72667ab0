// Camunda's own client for JavaScript: handles the tasks of a topic until its input ends, and prints
// the id of each.

import { Client } from "camunda-external-task-client-js";

const [baseUrl, topic] = process.argv.slice(2);
const client = new Client({
  baseUrl,
  workerId: "javascript",
  maxTasks: 2,
  asyncResponseTimeout: 500,
  interval: 20,
});

client.subscribe(topic, { lockDuration: 20000 }, async ({ task, taskService }) => {
  process.stdout.write(`${task.id}\n`);
  await taskService.complete(task);
});

process.stdin.on("end", () => process.exit()).resume();
