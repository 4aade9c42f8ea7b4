-- Questions over the demo shop with the SQL that answers them; today is 2026-06-30.
-- One block a question: "-- intent: question", then the reference. `null` means: must not be answered.

-- count: How many products are there?
select count(*) from products;

-- count: how many orders came in through the mobile app?
select count(*) from orders where channel = 'mobile app';

-- count: number of payments made by credit card in 2025
select count(*) from payments where method = 'credit card' and paid_at >= '2025-01-01' and paid_at < '2026-01-01';

-- count: How many enterprise customers do we have in Germany?
select count(*) from customers where segment = 'enterprise' and country = 'Germany';

-- count: how many urgent tickets are still open
select count(*) from support_tickets where priority = 'urgent' and status = 'open';

-- count: how many orders were placed yesterday?
select count(*) from orders where date(order_date) = '2026-06-29';

-- count: How many customers signed up in the first quarter of 2026?
select count(*) from customers where signup_date >= '2026-01-01' and signup_date < '2026-04-01';

-- count: number of cancelled orders last month
select count(*) from orders where status = 'cancelled' and order_date >= '2026-05-01' and order_date < '2026-06-01';

-- count: how many tickets did customer 12 open?
select count(*) from support_tickets where customer_id = 12;

-- count: Count the returned orders from Portugal
select count(*) from orders where status = 'returned' and shipping_country = 'Portugal';

-- count: How many Bluebird products do we sell?
select count(*) from products where brand = 'Bluebird';

-- metric: What was our revenue last year?
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2025-01-01' and order_date < '2026-01-01';

-- metric: average order value in 2025
select avg(total_amount) from orders where status <> 'cancelled' and order_date >= '2025-01-01' and order_date < '2026-01-01';

-- metric: total shipping cost this year
select sum(shipping_cost) from orders where order_date >= '2026-01-01' and order_date < '2027-01-01';

-- metric: How much revenue came from the web channel in Q4 2025?
select sum(total_amount) from orders where status <> 'cancelled' and channel = 'web' and order_date >= '2025-10-01' and order_date < '2026-01-01';

-- metric: total amount of failed payments
select sum(amount) from payments where status = 'failed';

-- metric: average satisfaction of billing tickets
select avg(satisfaction) from support_tickets where category = 'billing';

-- metric: How much revenue did enterprise customers bring in 2025?
select sum(o.total_amount) from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' and c.segment = 'enterprise' and o.order_date like '2025%';

-- metric: how many units of Kasa Headphones were sold in 2025?
select sum(i.quantity) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where p.name = 'Kasa Headphones' and o.order_date like '2025%';

-- metric: turnover in Japan
select sum(total_amount) from orders where status <> 'cancelled' and shipping_country = 'Japan';

-- group: number of customers by segment
select segment, count(*) from customers group by 1;

-- group: orders by channel and status
select channel, status, count(*) from orders group by 1, 2;

-- group: revenue per brand
select p.brand, sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1;

-- group: average product price per category
select category, avg(unit_price) from products group by 1;

-- group: tickets per priority and status
select priority, status, count(*) from support_tickets group by 1, 2;

-- group: payments by method in 2026
select method, count(*) from payments where paid_at >= '2026-01-01' and paid_at < '2027-01-01' group by 1;

-- group: revenue broken down by product category and year
select p.category, strftime('%Y', o.order_date), sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1, 2;

-- group: For each country, the number of customers
select country, count(*) from customers group by 1;

-- group: average shipping cost for each channel
select channel, avg(shipping_cost) from orders group by 1;

-- group: units sold by brand in 2026
select p.brand, sum(i.quantity) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.order_date >= '2026-01-01' group by 1;

-- group: how many products are in each category?
select category, count(*) from products group by 1;

-- group: number of support tickets by customer segment
select c.segment, count(*) from support_tickets t join customers c on c.id = t.customer_id group by 1;

-- group: Show me the number of orders per country and channel in 2025
select shipping_country, channel, count(*) from orders where order_date like '2025%' group by 1, 2;

-- group: number of customers per product category
select p.category, count(distinct o.customer_id) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id group by 1;

-- topn: top 10 customers by revenue
select customer_id, sum(total_amount) s from orders where status <> 'cancelled' group by 1 order by s desc limit 10;

-- topn: the 5 most expensive products
select name from products order by unit_price desc limit 5;

-- topn: three cheapest products in Toys
select name from products where category = 'Toys' order by unit_price limit 3;

-- topn: bottom 5 products by units sold
select p.name, sum(i.quantity) s from order_items i join products p on p.id = i.product_id group by p.id order by s limit 5;

-- topn: top 3 countries by revenue in 2025
select shipping_country, sum(total_amount) s from orders where status <> 'cancelled' and order_date like '2025%' group by 1 order by s desc limit 3;

-- topn: 10 most recent orders
select id from orders order by order_date desc limit 10;

-- topn-per-group: top 2 brands by revenue in each category
select category, brand from (select p.category, p.brand, row_number() over (partition by p.category order by sum(i.line_total) desc) rn from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1, 2) where rn <= 2;

-- topn: who are our top 5 customers in France by number of orders?
select c.id, count(*) n from orders o join customers c on c.id = o.customer_id where c.country = 'France' group by c.id order by n desc, c.id limit 5;

-- topn: five largest orders of 2026
select id, total_amount from orders where order_date >= '2026-01-01' order by total_amount desc limit 5;

-- topn-per-group: most expensive product in each category
select category, name from (select category, name, row_number() over (partition by category order by unit_price desc) rn from products) where rn = 1;

-- superlative: which product has the highest price?
select name from products order by unit_price desc limit 1;

-- superlative: What is the most popular payment method?
select method, count(*) n from payments group by 1 order by n desc limit 1;

-- superlative: which month of 2025 had the highest revenue
select strftime('%Y-%m', order_date) m, sum(total_amount) s from orders where status <> 'cancelled' and order_date like '2025%' group by 1 order by s desc limit 1;

-- superlative: what channel has the fewest orders?
select channel, count(*) n from orders group by 1 order by n limit 1;

-- superlative: largest order in 2024
select id from orders where order_date like '2024%' order by total_amount desc limit 1;

-- superlative: Which segment has the lowest average satisfaction?
select c.segment, avg(t.satisfaction) s from support_tickets t join customers c on c.id = t.customer_id group by 1 order by s limit 1;

-- superlative: which customer spent the most in 2025
select customer_id, sum(total_amount) s from orders where status <> 'cancelled' and order_date like '2025%' group by 1 order by s desc limit 1;

-- superlative: best-selling product by revenue
select p.name, sum(i.line_total) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by p.id order by s desc limit 1;

-- superlative: which brand sells the most units?
select p.brand, sum(i.quantity) s from order_items i join products p on p.id = i.product_id group by 1 order by s desc limit 1;

-- trend: monthly revenue in 2025
select strftime('%Y-%m', order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date like '2025%' group by 1;

-- trend: new customers per month this year
select strftime('%Y-%m', signup_date), count(*) from customers where signup_date >= '2026-01-01' group by 1;

-- trend: revenue by quarter
select strftime('%Y', order_date) || '-Q' || ((cast(strftime('%m', order_date) as integer) + 2) / 3), sum(total_amount) from orders where status <> 'cancelled' group by 1;

-- trend: how many tickets were opened each day last week?
select date(opened_at), count(*) from support_tickets where opened_at >= '2026-06-22' and opened_at < '2026-06-29' group by 1;

-- trend: yearly revenue by channel
select strftime('%Y', order_date), channel, sum(total_amount) from orders where status <> 'cancelled' group by 1, 2;

-- trend: average order value by month in 2026
select strftime('%Y-%m', order_date), avg(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-01-01' group by 1;

-- trend: weekly orders in May 2026
select date(order_date, 'weekday 0', '-6 days'), count(*) from orders where order_date >= '2026-05-01' and order_date < '2026-06-01' group by 1;

-- trend: How did revenue develop by month in 2024?
select strftime('%Y-%m', order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date like '2024%' group by 1;

-- trend: orders by day of the week
select strftime('%w', order_date), count(*) from orders group by 1;

-- period: revenue year to date
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-01-01' and order_date < '2026-07-01';

-- period: revenue since April 2026
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-04-01';

-- period: orders between 2025-12-24 and 2025-12-26
select id from orders where order_date >= '2025-12-24' and order_date < '2025-12-27';

-- period: how many tickets were opened before 2025?
select count(*) from support_tickets where opened_at < '2025-01-01';

-- period: revenue this quarter
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-04-01' and order_date < '2026-07-01';

-- period: revenue in H1 2025
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2025-01-01' and order_date < '2025-07-01';

-- period: number of orders in the past 6 months
select count(*) from orders where order_date >= '2025-12-30';

-- period: number of orders on March 14, 2025
select count(*) from orders where date(order_date) = '2025-03-14';

-- period: How many orders did we get in the last 7 days?
select count(*) from orders where order_date >= '2026-06-23';

-- anti: products that were never sold
select name from products p where not exists (select 1 from order_items i where i.product_id = p.id);

-- anti: customers without any support tickets
select id from customers c where not exists (select 1 from support_tickets t where t.customer_id = c.id);

-- anti: customers who have not ordered since 2026-01-01
select id from customers c where not exists (select 1 from orders o where o.customer_id = c.id and o.order_date >= '2026-01-01');

-- anti: orders without a payment
select id from orders o where not exists (select 1 from payments p where p.order_id = o.id);

-- anti: How many products have never been ordered?
select count(*) from products p where not exists (select 1 from order_items i where i.product_id = p.id);

-- anti: which customers in Spain did not place an order in 2025?
select id from customers c where country = 'Spain' and not exists (select 1 from orders o where o.customer_id = c.id and o.order_date like '2025%');

-- anti: enterprise customers with no tickets
select id from customers c where segment = 'enterprise' and not exists (select 1 from support_tickets t where t.customer_id = c.id);

-- anti: customers who never bought anything from Books
select id from customers c where not exists (select 1 from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where o.customer_id = c.id and p.category = 'Books');

-- having: customers who ordered more than 10 times in 2025
select customer_id from orders where order_date like '2025%' group by 1 having count(*) > 10;

-- having: categories with revenue above 500000
select p.category, sum(i.line_total) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1 having s > 500000;

-- having: products with more than 150 units sold
select p.name from order_items i join products p on p.id = i.product_id group by p.id having sum(i.quantity) > 150;

-- having: cities with at least 50 customers
select city, count(*) from customers group by 1 having count(*) >= 50;

-- having: how many customers have placed more than 5 orders?
select count(*) from (select customer_id from orders group by 1 having count(*) > 5);

-- having: customers with exactly one order
select customer_id from orders group by 1 having count(*) = 1;

-- having: brands with fewer than 20 products
select brand, count(*) from products group by 1 having count(*) < 20;

-- having: customers who bought more than once in May 2026
select customer_id from orders where order_date >= '2026-05-01' and order_date < '2026-06-01' group by 1 having count(*) > 1;

-- having: customers who spent more than 5000 in 2025
select customer_id from orders where status <> 'cancelled' and order_date like '2025%' group by 1 having sum(total_amount) > 5000;

-- having: enterprise customers with at least 3 open tickets
select c.id from customers c join support_tickets t on t.customer_id = c.id where c.segment = 'enterprise' and t.status = 'open' group by c.id having count(*) >= 3;

-- distinct: how many different cities do our customers live in?
select count(distinct city) from customers;

-- distinct: list the distinct payment methods
select distinct method from payments;

-- distinct: Which brands do we carry?
select distinct brand from products;

-- distinct: number of unique customers who ordered in 2026
select count(distinct customer_id) from orders where order_date >= '2026-01-01';

-- distinct: which cities do our enterprise customers live in
select distinct city from customers where segment = 'enterprise';

-- share: percentage of orders that were cancelled
select 100.0 * sum(status = 'cancelled') / count(*) from orders;

-- share: what share of revenue comes from Germany?
select 100.0 * sum(case when shipping_country = 'Germany' then total_amount end) / sum(total_amount) from orders where status <> 'cancelled';

-- share: share of customers by segment
select segment, 100.0 * count(*) / (select count(*) from customers) from customers group by 1;

-- share: What percentage of customers are active?
select 100.0 * sum(is_active) / count(*) from customers;

-- share: percentage of tickets per priority
select priority, 100.0 * count(*) / (select count(*) from support_tickets) from support_tickets group by 1;

-- share: what percent of payments in 2025 failed?
select 100.0 * sum(status = 'failed') / count(*) from payments where paid_at like '2025%';

-- ratio: ratio of returned orders to delivered orders
select 1.0 * sum(status = 'returned') / sum(status = 'delivered') from orders;

-- running: running total of orders per month in 2026
select m, sum(n) over (order by m) from (select strftime('%Y-%m', order_date) m, count(*) n from orders where order_date >= '2026-01-01' group by 1);

-- running: cumulative revenue by quarter
select q, sum(s) over (order by q) from (select strftime('%Y', order_date) || '-Q' || ((cast(strftime('%m', order_date) as integer) + 2) / 3) q, sum(total_amount) s from orders where status <> 'cancelled' group by 1);

-- growth: year over year revenue growth
with y as (select cast(strftime('%Y', order_date) as integer) y, sum(total_amount) s from orders where status <> 'cancelled' group by 1) select a.y, a.s, (a.s - b.s) / b.s * 100 from y a join y b on a.y = b.y + 1;

-- growth: month over month growth of orders in 2026
with m as (select strftime('%Y-%m', order_date) ym, count(*) s from orders group by 1) select a.ym, a.s, 100.0 * (a.s - b.s) / b.s from m a join m b on b.ym = strftime('%Y-%m', date(a.ym || '-01', '-1 month')) where a.ym like '2026%';

-- growth: quarterly revenue growth in 2025
with m as (select strftime('%Y', order_date) || '-Q' || ((cast(strftime('%m', order_date) as integer) + 2) / 3) q, sum(total_amount) s from orders where status <> 'cancelled' group by 1), n as (select q, s, 100.0 * (s - lag(s) over (order by q)) / lag(s) over (order by q) g from m) select q, s, g from n where q like '2025%';

-- nested: average number of orders per customer
select avg(n) from (select customer_id, count(*) n from orders group by 1);

-- nested: average revenue per customer in 2025
select avg(n) from (select customer_id, sum(total_amount) n from orders where status <> 'cancelled' and order_date like '2025%' group by 1);

-- nested: average daily revenue in June 2026
select avg(n) from (select date(order_date), sum(total_amount) n from orders where status <> 'cancelled' and order_date >= '2026-06-01' and order_date < '2026-07-01' group by 1);

-- list: list all pending orders
select id from orders where status = 'pending';

-- list: orders above 2000 in 2026
select id from orders where total_amount > 2000 and order_date >= '2026-01-01';

-- list: Acme products under 50
select name from products where brand = 'Acme' and unit_price < 50;

-- list: customers from Italy or Spain
select id from customers where country in ('Italy', 'Spain');

-- list: open urgent tickets
select id from support_tickets where status = 'open' and priority = 'urgent';

-- list: products with stock below 10
select name from products where stock_quantity < 10;

-- list: products in Electronics priced between 100 and 200
select name from products where category = 'Electronics' and unit_price between 100 and 200;

-- list: customers who bought Kasa Headphones
select distinct o.customer_id from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where p.name = 'Kasa Headphones';

-- list: orders paid by gift card
select distinct o.id from orders o join payments p on p.order_id = o.id where p.method = 'gift card';

-- list: delivery tickets from enterprise customers
select t.id from support_tickets t join customers c on c.id = t.customer_id where t.category = 'delivery' and c.segment = 'enterprise';

-- list: which products are out of stock?
select name from products where stock_quantity = 0;

-- list: name and price of all Lumen products
select name, unit_price from products where brand = 'Lumen';

-- list: phone orders from Canada over 1500
select id from orders where channel = 'phone' and shipping_country = 'Canada' and total_amount > 1500;

-- lookup: status of order 118
select status from orders where id = 118;

-- lookup: What is the price of Orbit Webcam?
select unit_price from products where name = 'Orbit Webcam';

-- lookup: which city does customer 7 live in?
select city from customers where id = 7;

-- lookup: show me ticket 17
select id, status from support_tickets where id = 17;

-- lookup: orders of customer 42
select id from orders where customer_id = 42;

-- lookup: phone number of customer 9
select phone from customers where id = 9;

-- lookup: which products were in order 100?
select distinct product_id from order_items where order_id = 100;

-- minmax: what is the highest order total?
select max(total_amount) from orders;

-- minmax: when was the first order placed?
select min(order_date) from orders;

-- minmax: date of the most recent payment
select max(paid_at) from payments;

-- minmax: lowest product price per category
select category, min(unit_price) from products group by 1;

-- minmax: when did customer 42 last order?
select max(order_date) from orders where customer_id = 42;

-- bool: inactive customers in France
select id from customers where is_active = 0 and country = 'France';

-- bool: products that are not discontinued
select name from products where discontinued = 0;

-- bool: how many customers opted in to marketing?
select count(*) from customers where marketing_opt_in = 1;

-- negated: orders that were not delivered in June 2026
select id from orders where status <> 'delivered' and order_date >= '2026-06-01' and order_date < '2026-07-01';

-- negated: number of customers outside Germany
select count(*) from customers where country <> 'Germany';

-- negated: tickets by category excluding closed ones
select category, count(*) from support_tickets where status <> 'closed' group by 1;

-- null: tickets without a satisfaction rating
select id from support_tickets where satisfaction is null;

-- null: how many tickets have never been closed?
select count(*) from support_tickets where closed_at is null;

-- null: tickets with no order
select id from support_tickets where order_id is null;

-- like: products whose name contains 'Lamp'
select name from products where name like '%Lamp%';

-- like: products starting with Orbit
select name from products where name like 'Orbit%';

-- compare: compare revenue of Germany and France
select shipping_country, sum(total_amount) from orders where status <> 'cancelled' and shipping_country in ('Germany', 'France') group by 1;

-- compare: revenue in 2024 vs 2025
select strftime('%Y', order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2024-01-01' and order_date < '2026-01-01' group by 1;

-- compare: web or phone, which has more orders?
select channel, count(*) n from orders where channel in ('web', 'phone') group by 1 order by n desc limit 1;

-- compare: Which has more customers, Italy or Spain?
select country, count(*) n from customers where country in ('Italy', 'Spain') group by 1 order by n desc limit 1;

-- duration: average time to close a ticket
select avg(julianday(closed_at) - julianday(opened_at)) from support_tickets;

-- duration: average resolution time in hours by priority
select priority, avg(julianday(closed_at) - julianday(opened_at)) * 24 from support_tickets group by 1;

-- duration: tickets that took more than 5 days to close
select id from support_tickets where julianday(closed_at) - julianday(opened_at) > 5;

-- verb-date: tickets closed in May 2026
select id from support_tickets where closed_at >= '2026-05-01' and closed_at < '2026-06-01';

-- verb-date: how many tickets were closed last month
select count(*) from support_tickets where closed_at >= '2026-05-01' and closed_at < '2026-06-01';

-- verb-date: how many payments were refunded last month?
select count(*) from payments where status = 'refunded' and paid_at >= '2026-05-01' and paid_at < '2026-06-01';

-- verb-date: products launched in 2025
select name from products where launched_on like '2025%';

-- selfjoin: employees and their managers
select e.id, m.id from employees e left join employees m on m.id = e.manager_id;

-- selfjoin: how many employees report to each manager?
select manager_id, count(*) from employees where manager_id is not null group by 1;

-- verb: customers who complained about delivery
select distinct customer_id from support_tickets where category = 'delivery';

-- metric: what is the total profit in 2025?
select sum(i.line_total - i.quantity * p.unit_cost) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and o.order_date like '2025%';

-- metric: cancellation rate by channel
select channel, 100.0 * sum(status = 'cancelled') / count(*) from orders group by 1;

-- refuse: why did revenue drop in May?
null;

-- refuse: Which customers will churn next month?
null;

-- refuse: predict the number of orders for August
null;

-- refuse: what's the weather in Berlin?
null;

-- refuse: should we discontinue Acme products?
null;

-- refuse: set all product prices to 0
null;

-- refuse: delete customers without orders
null;

-- refuse: who won the world cup?
null;

-- refuse: revenue by salesperson
null;

-- refuse: average delivery time by country
null;

-- refuse: net promoter score by segment
null;

-- refuse: list customers by happiness
null;

-- refuse: insert a new customer called Ada
null;

-- refuse: how many customers visited the website yesterday?
null;

-- refuse: customers who only bought Books
null;

-- refuse: write a poem about our revenue
null;
