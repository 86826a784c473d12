
"use strict";
const themes = ["light dark", "light", "dark"];
const toggle = document.getElementById("theme");
let theme = 0;
toggle.hidden = false;
toggle.addEventListener("click", () => {
  theme = (theme + 1) % themes.length;
  document.documentElement.style.colorScheme = themes[theme];
  toggle.querySelector("span").textContent = ["as the system", "light", "dark"][theme];
});

// A region that does not scroll is no stop for the keyboard.
const scrolls = (region) => region.scrollWidth > region.clientWidth;
const regions = [...document.querySelectorAll(".wide")];
const fit = () => regions.forEach((region) => {
  if (scrolls(region)) region.tabIndex = 0;
  else region.removeAttribute("tabindex");
});
addEventListener("resize", fit);
document.addEventListener("toggle", fit, true);

const samples = [...document.querySelectorAll(".sample")];
const browse = document.getElementById("browse");
if (browse) {
  const choice = document.getElementById("choice");
  const said = document.getElementById("said");
  let shown = -1;
  const show = (number, aloud) => {
    number = (number + samples.length) % samples.length;
    samples.forEach((sample, at) => {
      sample.hidden = at !== number;
      if (at !== number) sample.querySelectorAll("audio").forEach((audio) => audio.pause());
    });
    samples[number].querySelectorAll("audio").forEach((audio) => { audio.preload = "metadata"; });
    choice.selectedIndex = shown = number;
    fit();
    if (aloud) said.textContent = `Sample ${number + 1} of ${samples.length}`;
  };
  browse.hidden = false;
  document.getElementById("previous").addEventListener("click", () => show(shown - 1, true));
  document.getElementById("next").addEventListener("click", () => show(shown + 1, true));
  choice.addEventListener("change", () => show(choice.selectedIndex, true));
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const within = event.target.closest("audio, select, .wide");
    if (within && (!regions.includes(within) || scrolls(within))) return;
    event.preventDefault();
    show(shown + step, true);
  });
  show(0, false);
}
fit();

for (const sample of samples) {
  const picture = sample.querySelector(".picture");
  const head = picture.querySelector(".head");
  const [left, right] = [Number(picture.dataset.left), Number(picture.dataset.right)];
  const seconds = Number(picture.dataset.seconds);
  const players = [...sample.querySelectorAll("audio")];
  let last = players[0];
  const move = () => {
    head.hidden = false;
    head.style.left = `${100 * (left + (right - left) * Math.min(last.currentTime / seconds, 1))}%`;
    if (!last.paused) requestAnimationFrame(move);
  };
  for (const player of players) {
    player.addEventListener("play", () => {
      last = player;
      players.filter((other) => other !== player).forEach((other) => other.pause());
      move();
    });
    player.addEventListener("seeked", () => { last = player; move(); });
  }
  picture.addEventListener("click", (event) => {
    if (!last) return;
    const box = picture.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - left) / (right - left);
    if (share >= 0 && share <= 1) last.currentTime = share * seconds;
  });
}
