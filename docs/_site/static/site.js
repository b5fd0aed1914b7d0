// A button that copies a block of code: of a session the commands alone, without prompts and output.
document.querySelectorAll("div.highlight").forEach((block) => {
  const pre = block.querySelector("pre");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy-code";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy this code");
  button.addEventListener("click", async () => {
    const lines = pre.innerText.replace(/\n+$/, "").split("\n");
    const prompt = /^(>>> |\.\.\. |\$ )/;
    const session = lines.some((line) => /^(>>> |\$ )/.test(line));
    const kept = session
      ? lines.filter((line) => prompt.test(line)).map((line) => line.replace(prompt, ""))
      : lines;
    const text = kept.join("\n") + "\n";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages from a folder have no clipboard in some browsers.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  block.append(button);
});

// The arrows of the sidebar say what they open.
document.querySelectorAll("summary").forEach((summary) => {
  const link = summary.closest("li")?.querySelector("a");
  if (!summary.innerText.trim()) summary.setAttribute("aria-label", `Pages of ${link?.innerText.trim() ?? "this part"}`);
});
